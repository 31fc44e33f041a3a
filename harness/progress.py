"""Live progress: on a terminal one line an attempt and a bar for the whole; elsewhere a line as each attempt ends."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from harness.plan import PlannedAttempt
from probes.session import Outcome, Session
from scenarios.model import Lang

STATES = ("dialling", "ringing", "menu", "queue", "talking", "done")
_NAMES = {
    "due": ("待拨", "grey50"),
    "dialling": ("拨打", "cyan"),
    "ringing": ("振铃", "cyan"),
    "menu": ("菜单", "blue"),
    "queue": ("排队", "yellow"),
    "talking": ("通话", "green"),
    "done": ("收尾", "green"),
}
_COLOURS = {Outcome.ANSWERED: "green", Outcome.IVR_SERVED: "green", Outcome.INVALID: "red", Outcome.LOST: "red"}


class Board:
    """The live table. Use as a context manager; ``state`` and ``ended`` may be called at any time in between."""

    def __init__(self, attempts: Sequence[PlannedAttempt], console: Console, lang: Lang) -> None:
        self.attempts = {attempt.id: attempt for attempt in attempts}
        self.console, self.lang = console, lang
        self._states: dict[str, tuple[str, float]] = {}
        self._outcomes: dict[str, Session] = {}
        self._bar = Progress(
            TextColumn("进度 / progress"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._bar.add_task("", total=len(attempts))
        self._live = Live(get_renderable=self._draw, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Board:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def state(self, attempt: str, state: str) -> None:
        """Takes a change of state of one attempt."""
        if attempt in self.attempts and attempt not in self._outcomes:
            self._states[attempt] = (state, time.monotonic())

    def ended(self, session: Session) -> None:
        """Takes the end of one attempt."""
        self._outcomes[session.attempt.id] = session
        self._bar.advance(self._task)
        if not self.console.is_terminal:
            done, total = len(self._outcomes), len(self.attempts)
            self.console.print(
                f"[{done}/{total}] {session.attempt.id} {session.outcome} {session.reason}",
                markup=False,
                soft_wrap=True,
            )

    def _draw(self) -> RenderableType:
        table = Table(box=None, padding=(0, 1), show_header=False)
        now = time.monotonic()
        for name, attempt in self.attempts.items():
            session = self._outcomes.get(name)
            icon = "☎" if attempt.channel == "voice" else "✉"
            if session is not None:
                colour = _COLOURS.get(session.outcome, "magenta")
                table.add_row(icon, name, f"[{colour}]{session.outcome}[/]", "")
                continue
            state, since = self._states.get(name, ("due", now))
            zh, colour = _NAMES[state]
            steps = "".join("━" if STATES.index(state) >= i else "╌" for i in range(5)) if state in STATES else "╌" * 5
            clock = "" if state == "due" else f"{now - since:4.0f} s"
            table.add_row(icon, name, f"[{colour}]{steps} {zh if self.lang == 'zh' else state}[/]", clock)
        return Group(table, self._bar)


class Lines:
    """A campaign's progress in plain lines: each attempt as it begins and ends, and what gets in the way."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def state(self, attempt: str, state: str) -> None:
        """Takes a change of state of one attempt; only the dialling is worth a line."""
        if state == "dialling":
            self._print(f"{attempt} …")

    def ended(self, session: Session) -> None:
        """Takes the end of one attempt."""
        colour = _COLOURS.get(session.outcome)
        self._print(f"{session.attempt.id} {session.outcome} {session.reason}", colour)

    def trouble(self, sentence: str) -> None:
        """Takes what gets in the way."""
        self._print(sentence, "yellow")

    def _print(self, text: str, style: str | None = None) -> None:
        stamp = datetime.now().astimezone().strftime("%m-%d %H:%M:%S")
        self.console.print(f"{stamp}  {text}", style=style, markup=False, soft_wrap=True, highlight=False)
