"""A trunk's registration as the event loop sees it: asked for once, awaited by every call that needs it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from probes.voice.trunk import Trunk
from scenarios.errors import HarnessFault

PATIENCE_S = 40.0  # the library itself gives up after 32 s and says 408


@dataclass(frozen=True)
class Answer:
    """What a registrar said, or the library in its place if nothing came. ``t`` is monotonic seconds."""

    t: float
    code: int
    reason: str
    expires_s: int
    from_network: bool = False

    @property
    def registered(self) -> bool:
        """Says whether calls may go out now."""
        return self.code // 100 == 2 and self.expires_s > 0


@dataclass(frozen=True)
class Registered:
    """A registration that stands: the registrar's answer, how long it took, how long it holds."""

    code: int
    reason: str
    seconds: float
    expires_s: int


class Registration:
    """The state of one trunk. Event loop only."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()  # held by the one who asks
        self.standing: Registered | None = None
        self._asked = 0.0
        self._answer: asyncio.Future[Answer] | None = None

    def expect(self) -> asyncio.Future[Answer]:
        """Returns the future of the registrar's next answer."""
        loop = asyncio.get_running_loop()
        self._asked, self._answer = loop.time(), loop.create_future()
        return self._answer

    def settle(self, answer: Answer) -> None:
        """Takes an answer: to us, or to a refresh that the library sent by itself."""
        if answer.registered:
            seconds = answer.t - self._asked if self._answer is not None else 0.0
            before = self.standing
            took = before.seconds if before is not None and self._answer is None else seconds
            self.standing = Registered(answer.code, answer.reason, took, answer.expires_s)
        else:
            self.standing = None
        waiting, self._answer = self._answer, None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)


def refused(trunk: Trunk, answer: Answer, trouble: str | None) -> HarnessFault:
    """Returns why a trunk is not registered, in one sentence with the cure."""
    said = f"{answer.code} {answer.reason}"
    if trouble is not None:
        said, cure = trouble, "check address, port, transport and ca_file of the trunk"
    elif not answer.from_network:
        said, cure = f"no answer ({answer.reason})", "check address, port, transport and firewall"
    elif answer.code in (401, 407):
        cure = "the user name or the password is wrong"
    else:
        cure = "ask whoever runs the registrar"
    return HarnessFault(f"our own line: {trunk.registrar} does not register {trunk.uri}: {said} ({cure})")
