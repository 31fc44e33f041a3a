"""One call of the library: its callbacks become signals."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from probes.voice.leg import Leg, Signal
from probes.voice.pjsip.callback import describe, guard
from probes.voice.trunk import Trunk

if TYPE_CHECKING:
    from probes.voice.pjsip.endpoint import Endpoint

SOUNDING = (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
log = logging.getLogger(__name__)


def param(code: int = 0) -> Any:
    """Returns the options of a call's operation, with a status code."""
    made = pj.CallOpParam(True)
    made.statusCode = code
    return made


class Call(pj.Call):  # type: ignore[misc]
    """Turns pj callbacks into signals. Lives and dies on the owner thread."""

    def __init__(
        self, endpoint: Endpoint, account: Any, leg: Leg, *, trunk: Trunk | None = None, call_id: int | None = None
    ) -> None:
        """Prepares an outgoing call on ``trunk``, or takes the incoming one of ``call_id``."""
        self.endpoint, self.leg, self.trunk = endpoint, leg, trunk
        self.made = time.monotonic()
        self.answers: set[int] = set()  # what came for our INVITE
        self.connected = False
        pj.Call.__init__(self, account) if call_id is None else pj.Call.__init__(self, account, call_id)

    def identity(self) -> str:
        """Returns the Call-ID."""
        info = self.getInfo()
        return str(info.callIdString)

    @guard
    def onCallState(self, now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """Ringing, connected, ended."""
        self._note(prm)
        info = self.getInfo()
        state, code, reason = info.state, info.lastStatusCode, info.lastReason
        data = {"code": code, "reason": reason}
        if state == pj.PJSIP_INV_STATE_EARLY:
            self.leg.post(Signal(now, "early_media" if code == 183 else "ringing", data))
        elif state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.connected = True
            self.leg.post(Signal(now, "connected", data))
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            if self.endpoint.stopping and not self.leg.hung_up:
                data |= {"by": "us", "fault": "harness"}  # the whole process stops: nobody's doing but ours
            else:
                data |= self._end(code, reason)
            self.endpoint.release(self.leg)  # first: whoever hears of the end may dial at once, and get its slot
            self.leg.post(Signal(now, "ended", data))

    def _end(self, code: int, reason: str) -> dict[str, Any]:
        """Says who ended the call, and whose fault it is that it was never connected.

        A 200 whose session description cannot be used ends in a BYE by the stack itself, under a status (415) that
        nobody sent: the answer that came is told instead.
        """
        if self.leg.hung_up:
            return {"by": "us"}
        if self.connected or self.trunk is None:
            return {"by": "far"}
        told: dict[str, Any] = {"by": "far", "whose": self.trunk.whose(code, self.answers)}
        if accepted := [answer for answer in self.answers if 200 <= answer < 300]:
            told |= {"code": accepted[0], "reason": f"OK, but with no audio that can be used: {reason}"}
        if not self.answers:
            told["reason"] = self.endpoint.transport_trouble(self.made) or f"{reason}, without any answer"
        return told

    @guard
    def onCallTsxState(self, _now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """Keeps what came; a call that ends tells its last answer in :meth:`onCallState` only."""
        self._note(prm)

    def _note(self, prm: Any) -> None:
        """Keeps the status of a response to our INVITE; each parent is held, as everywhere."""
        event = prm.e
        body = event.body
        change = body.tsxState
        transaction = change.tsx
        if (
            event.type == pj.PJSIP_EVENT_TSX_STATE
            and change.type == pj.PJSIP_EVENT_RX_MSG
            and transaction.role == pj.PJSIP_ROLE_UAC
            and transaction.method == "INVITE"
        ):
            self.answers.add(transaction.statusCode)

    @guard
    def onCallMediaState(self, now: float, _prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """Joins the stream to the bridge."""
        info = self.getInfo()
        for media in info.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in SOUNDING:
                self.endpoint.bridge.connect(self.leg, self.getAudioMedia(media.index))
                self.leg.post(Signal(now, "media"))

    @guard
    def onStreamDestroyed(self, _now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """Counts the packets."""
        stat = self.getStreamStat(prm.streamIdx)  # every parent is held: a chain of temporaries is use after free
        rtcp = stat.rtcp
        received = rtcp.rxStat
        self.leg.packets += received.pkt

    @guard
    def onDtmfDigit(self, now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """One key, by RFC 4733 or INFO."""
        self.leg.post(Signal(now, "dtmf", {"digit": prm.digit}))

    @guard
    def onCallTransferRequest(self, now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """A transfer asked of us is refused: we call only whom the plan names."""
        self.leg.post(Signal(now, "refer", {"to": prm.dstUri}))
        prm.statusCode = 603

    def onCallRedirected(self, prm: Any) -> int:  # noqa: N802 - pjsua2's name
        """A redirection is never followed. Must return and never raise."""
        try:
            self.leg.post(Signal(time.monotonic(), "redirect", {"to": prm.targetUri}))
        except BaseException as error:
            log.error("redirect: %s", describe(error))
        return int(pj.PJSIP_REDIRECT_REJECT)
