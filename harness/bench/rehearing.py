"""How right and how dear the measuring pass is: calls to an unheard centre, no library, on three kinds of wire."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.table import Table

from harness.bench.unheard_centre import CLEAN, LOSSY, NOISY, OUTCOMES, Unheard, Wire, campaign
from probes.hearing.wav import Pcm
from probes.instants import find
from probes.rehearing.record import Hearing
from probes.rehearing.sessions import Library, rehear
from probes.session import AttemptKey, Outcome, Session
from probes.voice.audio import Recording

WIRES: dict[str, Wire] = {"clean": CLEAN, "10 dB SNR": NOISY, "3 % loss": LOSSY}
INSTANTS = {"queue": "queue", "agent": "answer", "first_word": "first_word"}  # truth -> instant


@dataclass
class Found:
    """What a measuring pass made of a set of calls."""

    calls: int = 0
    right: int = 0
    wordless: int = 0  # a call-back told from a dropped call by its words only, and handed to a person
    review: int = 0  # for a person to decide
    wrong: list[str] = field(default_factory=list)
    errors: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in INSTANTS.values()})
    early: int = 0  # declared answered before anybody had
    cpu_s: float = 0.0
    seconds: float = 0.0

    def add(self, call: Unheard, heard: Hearing) -> None:
        """Compares one call with the truth."""
        self.calls += 1
        expected, outcome = OUTCOMES[call.line], heard.outcome
        if not heard.certain:
            self.review += 1
            return
        if outcome is expected:
            self.right += 1
        elif expected is Outcome.CALLBACK and outcome is Outcome.DROPPED and heard.review:
            self.wordless += 1
        else:
            self.wrong.append(f"{heard.attempt} {call.line}: {outcome}")
        for name, instant in INSTANTS.items():
            found, truth = getattr(heard.instants, instant), call.truth.get(name)
            if found is not None and truth is not None:
                self.errors[instant].append(found.t - truth)
            if instant == "answer" and found is not None:
                self.early += truth is None or found.t < truth - 0.7

    def worst(self, instant: str, percentile: float) -> float:
        """Returns a percentile of the absolute errors of one instant, seconds."""
        return float(np.percentile(np.abs(self.errors[instant]), percentile)) if self.errors[instant] else 0.0


def session_of(call: Unheard, number: int) -> Session:
    """Returns the session as a probe would have left it that could not tell recordings from people."""
    timeline = sorted(call.signals, key=lambda event: event.t)
    asked = any(event.kind == "request" for event in timeline)
    return Session(
        attempt=AttemptKey(
            run="unheard", id=f"v{number:03d}", scenario="S01", channel="voice", entry=call.line, seed=1
        ),
        lang="zh", scenario_version=1, scenario_sha256="0" * 64, anchor_utc=datetime(2026, 1, 1, tzinfo=UTC),
        anchor_monotonic=0.0, outcome=Outcome.ANSWERED if asked else Outcome.IVR_SERVED, queue_limit_s=90.0,
        instants=find(timeline), timeline=timeline, harness_version="0",
    )  # fmt: skip


def keep(call: Unheard, folder: Path) -> None:
    """Writes the call's recording as evidence."""
    folder.mkdir(parents=True)
    recording = Recording(folder / "call.wav", 0.0)
    sound: Pcm = call.far
    for first in range(0, len(sound) - 159, 160):
        recording.far(first / 8000, sound[first : first + 160].astype("<i2").tobytes())
    recording.close(len(sound) / 8000)


def hear(calls: Sequence[Unheard], library: Library | None = None, *, together: bool = True) -> Found:
    """Measures calls, all of them together or each as if it were the only one."""
    found = Found(seconds=sum(len(call.far) for call in calls) / 8000)
    with TemporaryDirectory() as place:
        pairs = []
        for number, call in enumerate(calls):
            folder = Path(place) / f"{number:03d}"
            keep(call, folder)
            pairs.append((session_of(call, number), folder))
        begun = time.process_time()
        groups = [pairs] if together else [[pair] for pair in pairs]
        heard = [hearing for group in groups for hearing in rehear(group, library or Library()).hearings]
        found.cpu_s = time.process_time() - begun
    for call, hearing in zip(calls, heard, strict=True):
        found.add(call, hearing)
    return found


def measure_rehearing(calls: int = 20) -> dict[str, Found]:
    """Returns what is found on each wire in ``calls`` calls together, and (``alone``) in each clean call by itself."""
    found = {name: hear(campaign(calls, wire, seed=1000 * place)) for place, (name, wire) in enumerate(WIRES.items())}
    return found | {"alone, clean": hear(campaign(calls, CLEAN, seed=9000), together=False)}


def table(found: dict[str, Found]) -> Table:
    """Returns what is printed."""
    shown = Table(title="重听 / rehearing without a prompt library, errors p50 / p95 in s", title_justify="left")
    for column in ("", "calls", "right", "no words", "review", "wrong", "early", "t_queue", "t_answer", "t_first_word"):
        shown.add_column(column, justify="right" if column else "left")
    for name, one in found.items():
        errors = [f"{one.worst(i, 50):.3f} / {one.worst(i, 95):.3f}" for i in INSTANTS.values()]
        counts = [one.calls, one.right, one.wordless, one.review, len(one.wrong), one.early]
        shown.add_row(name, *map(str, counts), *errors)
    return shown


def main() -> None:
    """Prints the table and the cost."""
    from rich.console import Console

    found = measure_rehearing()
    console = Console()
    console.print(table(found))
    for name, one in found.items():
        console.print(f"{name}: {one.cpu_s / one.seconds * 3600:.1f} s CPU an hour of calls; wrong: {one.wrong}")


if __name__ == "__main__":
    main()
