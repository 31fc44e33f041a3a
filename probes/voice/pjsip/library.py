"""The library itself: how it is set up, and what its transports complain about."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Callable
from typing import Any

import pjsua2 as pj
import pjsua2._pjsua2 as native

from probes.voice.audio import RATE
from probes.voice.layout import content_of, keep_every_frame
from probes.voice.leg import CALLS_PER_PROCESS
from probes.voice.pjsip.callback import guard
from scenarios.errors import HarnessFault

SHARED_OBJECT: str = native.__file__
log = logging.getLogger(__name__)


class Library(pj.Endpoint):  # type: ignore[misc]
    """pjsua2's endpoint; tells as plain text why a transport failed."""

    def __init__(self, on_trouble: Callable[[float, str], None]) -> None:
        self.on_trouble = on_trouble
        pj.Endpoint.__init__(self)

    @guard
    def onTransportState(self, now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """Tells why a connection broke or never came about."""
        if prm.state != pj.PJSIP_TP_STATE_DISCONNECTED or not prm.lastError:
            return
        tls = prm.tlsInfo
        wrong = [str(text).rstrip(".").lower() for text in tls.verifyMsgs] if tls.verifyStatus else []
        if wrong:
            text = f"the TLS certificate of {tls.remoteAddr} is not trusted: {', '.join(wrong)}"
        else:
            text = f"the {prm.type} connection failed: {self.utilStrError(prm.lastError)}"
        self.on_trouble(now, text)

    def set_up(self) -> None:
        """Creates, configures and starts the library, without sound card and without worker threads.

        Raises:
            HarnessFault: this build lays out its vectors differently.
            pj.Error: it does not start.
        """
        ctypes.CDLL(SHARED_OBJECT).pj_log_set_level(0)  # libCreate prints before its log level is known
        known = pj.ByteVector(b"pj!")
        if ctypes.string_at(content_of(known), 3) != b"pj!":
            raise HarnessFault("this pjsua2 build lays out its vectors differently: frames cannot be read")
        self.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.maxCalls = CALLS_PER_PROCESS
        level = int(os.environ.get("SHOPPER_SIP_LOG", "0"))
        config.logConfig.level = config.logConfig.consoleLevel = level
        media = config.medConfig
        media.clockRate = media.sndClockRate = RATE
        media.ecTailLen, media.noVad = 0, True
        keep_every_frame(media)
        self.libInit(config)
        self.audDevManager().setNullDev()
        self.libStart()

    def prefer(self, codecs: tuple[str, ...]) -> None:
        """Offers ``codecs`` in this order, and no other, in the calls made from now on."""
        for info in self.codecEnum2():
            name = info.codecId
            rank = next((250 - i for i, wanted in enumerate(codecs) if name.startswith(wanted)), 0)
            self.codecSetPriority(name, rank)
