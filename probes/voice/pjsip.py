"""pjsua2 behind one door: nothing else in the project imports it.

The wheel is built with assertions, so misuse aborts the process. The rules that keep it alive, each learnt from a
crash (docs/voice.md tells the story):

* One owner thread makes every pj call and drops every pj object. Everyone else posts jobs to it.
* No pj object is ever part of a reference cycle, or the collector frees it on some other thread.
* Callbacks never raise: a Python exception would keep the native object alive beyond the library.
* An audio port is never dropped while the bridge may still call it: ports are pooled for the process's life.
* At most four calls a process; the fifth is a clean error here and would be a false "busy" at the far end.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import gc
import logging
import os
import queue
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, TypeVar

import pjsua2 as pj
import pjsua2._pjsua2 as native

from probes.voice.audio import FRAME_BYTES, RATE, FrameLog, Mouth
from probes.voice.layout import content_of, hurry, keep_every_frame
from probes.voice.leg import CALLS_PER_PROCESS, Leg, Signal, Trunk
from scenarios.errors import FarEndFault, HarnessFault, ProbeFault

TOO_MANY = 70010  # PJ_ETOOMANY
TRANSPORTS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
SOUNDING = (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
log = logging.getLogger(__name__)
T = TypeVar("T")


def _guard(method: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(method)
    def guarded(self: Any, *args: Any) -> None:
        now = time.monotonic()
        try:
            method(self, now, *args)
        except BaseException as error:
            log.error("in %s: %s", method.__name__, describe(error))

    return guarded


def describe(error: BaseException) -> str:
    """Returns what went wrong in words (``str`` of a pj error is empty)."""
    return f"{error.reason} ({error.status})" if isinstance(error, pj.Error) else f"{type(error).__name__}: {error}"


class _Port(pj.AudioMediaPort):  # type: ignore[misc]
    """The bridge's window onto one leg. Its callbacks run on the media thread, 50 times a second."""

    def __init__(self) -> None:
        pj.AudioMediaPort.__init__(self)
        self.frames: FrameLog | None = None
        self.mouth: Mouth | None = None
        self.out = pj.ByteVector(FRAME_BYTES)
        self.out_address = content_of(self.out)

    def onFrameReceived(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        frames = self.frames
        if frames is None:
            return
        try:
            size = frame.size
            buffer = frame.buf
            frames.on_heard(time.monotonic(), ctypes.string_at(content_of(buffer), size) if size else b"")
        except BaseException as error:
            log.error("received frame: %s", describe(error))

    def onFrameRequested(self, frame: Any) -> None:  # noqa: N802 - pjsua2's name
        try:
            now = time.monotonic()
            mouth, frames = self.mouth, self.frames
            audio = mouth.frame(now) if mouth is not None else None
            if audio is None:
                frame.type, frame.size = pj.PJMEDIA_FRAME_TYPE_NONE, 0
            else:
                ctypes.memmove(self.out_address, audio, FRAME_BYTES)
                frame.type, frame.buf, frame.size = pj.PJMEDIA_FRAME_TYPE_AUDIO, self.out, FRAME_BYTES
            if frames is not None:
                frames.on_spoken(now, audio)
        except BaseException as error:
            log.error("requested frame: %s", describe(error))


def _param(code: int = 0) -> Any:
    param = pj.CallOpParam(True)
    param.statusCode = code
    return param


class _Call(pj.Call):  # type: ignore[misc]
    """Turns pj callbacks into signals. Lives and dies on the owner thread."""

    def __init__(self, endpoint: Endpoint, account: Any, leg: Leg, call_id: int | None = None) -> None:
        self.endpoint, self.leg = endpoint, leg
        pj.Call.__init__(self, account) if call_id is None else pj.Call.__init__(self, account, call_id)

    @_guard
    def onCallState(self, now: float, _prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        state, code, reason = info.state, info.lastStatusCode, info.lastReason
        data = {"code": code, "reason": reason}
        if state == pj.PJSIP_INV_STATE_EARLY:
            self.leg.post(Signal(now, "early_media" if code == 183 else "ringing", data))
        elif state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.leg.post(Signal(now, "connected", data))
        elif state == pj.PJSIP_INV_STATE_DISCONNECTED:
            if self.endpoint.stopping and not self.leg.hung_up:
                data |= {"by": "us", "fault": "harness"}  # the whole process stops: nobody's doing but ours
            else:
                data["by"] = "us" if self.leg.hung_up else "far"
            self.leg.post(Signal(now, "ended", data))
            self.endpoint.release(self.leg)

    @_guard
    def onCallMediaState(self, now: float, _prm: Any) -> None:  # noqa: N802
        info = self.getInfo()
        for media in info.media:
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in SOUNDING:
                self.endpoint.connect(self.leg, self.getAudioMedia(media.index))
                self.leg.post(Signal(now, "media"))

    @_guard
    def onStreamDestroyed(self, _now: float, prm: Any) -> None:  # noqa: N802
        stat = self.getStreamStat(prm.streamIdx)  # every parent is held: a chain of temporaries is use after free
        rtcp = stat.rtcp
        received = rtcp.rxStat
        self.leg.packets += received.pkt

    @_guard
    def onDtmfDigit(self, now: float, prm: Any) -> None:  # noqa: N802
        self.leg.post(Signal(now, "dtmf", {"digit": prm.digit}))

    @_guard
    def onCallTransferRequest(self, now: float, prm: Any) -> None:  # noqa: N802
        self.leg.post(Signal(now, "refer", {"to": prm.dstUri}))
        prm.statusCode = 603  # a transfer asked of us is refused: we call only whom the plan names

    def onCallRedirected(self, prm: Any) -> int:  # noqa: N802 - must return and never raise
        try:
            self.leg.post(Signal(time.monotonic(), "redirect", {"to": prm.targetUri}))
        except BaseException as error:
            log.error("redirect: %s", describe(error))
        return int(pj.PJSIP_REDIRECT_REJECT)


class _Account(pj.Account):  # type: ignore[misc]
    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        pj.Account.__init__(self)

    @_guard
    def onIncomingCall(self, _now: float, prm: Any) -> None:  # noqa: N802
        rdata = prm.rdata
        self.endpoint.incoming(self, prm.callId, rdata.wholeMsg)


class Endpoint:
    """The process's one SIP endpoint."""

    def __init__(self, on_invite: Callable[[Leg], None] | None = None) -> None:
        self.on_invite = on_invite
        self.ids = iter(range(1, 1 << 62))
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._calls: dict[int, _Call] = {}
        self._media: dict[int, tuple[Any, _Port]] = {}
        self._accounts: dict[Trunk, _Account] = {}
        self._ports: list[_Port] = []
        self._free: list[tuple[float, _Port]] = []
        self._running = False
        self.stopping = False

    async def start(self) -> Endpoint:
        """Starts the library on its owner thread."""
        self.loop = asyncio.get_running_loop()
        hurry()
        up: Future[None] = Future()
        self._thread = threading.Thread(target=self._own, args=(up,), name="pj-owner", daemon=True)
        self._thread.start()
        await asyncio.wrap_future(up)
        self._ep.libRegisterThread("loop")  # should a stray pj object ever be freed here, it must not abort
        return self

    async def stop(self) -> None:
        """Hangs up what is left and ends the library."""
        if self._running:
            self.stopping = True
            self._running = False
            await asyncio.to_thread(self._thread.join)

    async def bind(self, trunk: Trunk) -> str:
        """Opens ``trunk`` for incoming calls; returns ``host:port``."""
        return await self.do(lambda: str(self._ep.transportGetInfo(self._account(trunk).transport).localName))

    def leg(self, uri: str) -> Leg:
        """Returns a leg that has not been dialled yet."""
        return Leg(self, uri)

    async def dial(self, leg: Leg, trunk: Trunk, codecs: tuple[str, ...]) -> float:
        """Sends the INVITE; returns the instant before it was handed to the stack.

        Waits for a slot if all are taken: the stack keeps a call's slot until its BYE is confirmed.

        Raises:
            HarnessFault: the stack refused (URI, account, transport), or no slot became free.
        """

        def invite() -> float | None:
            if leg.hung_up:
                raise HarnessFault("hung up before it was dialled")
            account = self._account(trunk)
            self._prefer(codecs)
            call = _Call(self, account, leg)
            self._calls[leg.id] = call
            now = time.monotonic()
            try:
                call.makeCall(leg.number, _param())
            except pj.Error as error:
                self._calls.pop(leg.id, None)
                if error.status == TOO_MANY:
                    return None
                raise
            return now

        for _ in range(350):
            if (dialled := await self.do(invite)) is not None:
                return dialled
            await asyncio.sleep(0.1)
        raise HarnessFault(f"all {CALLS_PER_PROCESS} call slots of this process stayed taken for 35 s")

    async def do(self, job: Callable[[], T]) -> T:
        """Runs ``job`` on the owner thread and returns its result.

        Raises:
            HarnessFault: the stack refused, or does not run. What the far end refuses comes as a signal, never here.
        """
        if not self._running:
            raise HarnessFault("the SIP stack does not run")
        done: Future[T] = Future()

        def run() -> None:
            if not done.set_running_or_notify_cancel():
                return  # whoever asked has gone
            try:
                done.set_result(job())
            except pj.Error as error:
                done.set_exception(HarnessFault(describe(error)))
            except BaseException as error:
                done.set_exception(error.with_traceback(None))  # a traceback would keep pj objects alive

        self._jobs.put(run)
        return await asyncio.wrap_future(done)

    async def on_call(self, leg: Leg, job: Callable[[Any], T]) -> T:
        """Runs ``job`` with the leg's native call on the owner thread.

        Raises:
            FarEndFault: the call has ended.
            HarnessFault: the stack refused.
        """

        def run() -> T:
            call = self._calls.get(leg.id)
            if call is None:
                raise FarEndFault("the call has ended")
            return job(call)

        return await self.do(run)

    async def answer(self, leg: Leg, code: int) -> None:
        """Answers an incoming call with ``code``."""
        await self.on_call(leg, lambda call: call.answer(_param(code)))

    async def press(self, leg: Leg, digits: str, how: Literal["rfc4733", "info"]) -> float:
        """Sends keys; returns the instant at which they were handed to the stack."""

        def send(call: Any) -> float:
            param = pj.CallSendDtmfParam()
            param.digits, param.duration = digits, 160
            param.method = pj.PJSUA_DTMF_METHOD_RFC2833 if how == "rfc4733" else pj.PJSUA_DTMF_METHOD_SIP_INFO
            call.sendDtmf(param)
            return time.monotonic()

        return await self.on_call(leg, send)

    async def hang_up(self, leg: Leg, code: int) -> bool:
        """Sends BYE, CANCEL or a final response; returns whether there was a call to end."""
        try:
            await self.on_call(leg, lambda call: call.hangup(_param(code)))
            return True
        except ProbeFault as fault:
            log.debug("hang-up: %s", fault)
            return False

    # ---- owner thread only from here on

    def incoming(self, account: Any, call_id: int, invite: str) -> None:
        """Takes an incoming call, or rejects it if nobody listens."""
        leg = Leg(self, invite.split(" ", 2)[1])
        self._calls[leg.id] = _Call(self, account, leg, call_id)
        if self.on_invite is None:
            self._calls[leg.id].hangup(_param(603))
        else:
            self.loop.call_soon_threadsafe(self.on_invite, leg)

    def connect(self, leg: Leg, media: Any) -> None:
        """Joins a leg's stream to a pooled port, both ways."""
        old = self._media.pop(leg.id, None)
        port = old[1] if old else self._take_port()
        port.frames, port.mouth = leg.frames, leg.mouth
        self._media[leg.id] = (media, port)
        media.startTransmit(port)
        port.startTransmit(media)

    def release(self, leg: Leg) -> None:
        """Lets go of a call that has ended; runs as a job so the callback it came from has returned."""

        def drop() -> None:
            self._disconnect(leg.id)
            self._calls.pop(leg.id, None)

        self._jobs.put(drop)

    def _disconnect(self, leg_id: int) -> None:
        pair = self._media.pop(leg_id, None)
        if pair is None:
            return
        media, port = pair
        port.frames = port.mouth = None
        try:
            media.stopTransmit(port)
            port.stopTransmit(media)
        except pj.Error as error:
            log.debug("stopping media: %s", describe(error))
        self._free.append((time.monotonic() + 0.2, port))

    def _linger(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._ep.libHandleEvents(5)
            self._run_jobs()

    def _take_port(self) -> _Port:
        if self._free and self._free[0][0] <= time.monotonic():
            return self._free.pop(0)[1]
        port = _Port()
        form = pj.MediaFormatAudio()
        form.init(pj.PJMEDIA_FORMAT_PCM, RATE, 1, 20000, 16)
        port.createPort(f"leg{len(self._ports)}", form)
        self._ports.append(port)
        return port

    def _prefer(self, codecs: tuple[str, ...]) -> None:
        for info in self._ep.codecEnum2():
            name = info.codecId
            rank = next((250 - i for i, wanted in enumerate(codecs) if name.startswith(wanted)), 0)
            self._ep.codecSetPriority(name, rank)

    def _account(self, trunk: Trunk) -> Any:
        if trunk not in self._accounts:
            transport = pj.TransportConfig()
            transport.port, transport.boundAddress = trunk.port, trunk.bind
            if trunk.transport == "tls":
                transport.tlsConfig.verifyServer = True
                transport.tlsConfig.CaListFile = ssl.get_default_verify_paths().cafile or ""
            config = pj.AccountConfig()
            config.idUri = trunk.uri
            config.sipConfig.transportId = self._ep.transportCreate(TRANSPORTS[trunk.transport], transport)
            config.mediaConfig.transportConfig.boundAddress = trunk.bind
            config.mediaConfig.transportConfig.port = 0
            if trunk.srtp:
                config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
                config.mediaConfig.srtpSecureSignaling = 1 if trunk.transport == "tls" else 0
            if trunk.username is not None:
                config.sipConfig.authCreds.append(
                    pj.AuthCredInfo("digest", "*", trunk.username, 0, trunk.password or "")
                )
            if trunk.registrar is not None:
                config.regConfig.registrarUri = trunk.registrar
            account = _Account(self)
            account.transport = config.sipConfig.transportId
            account.create(config)
            self._accounts[trunk] = account
        return self._accounts[trunk]

    def _own(self, up: Future[None]) -> None:
        hurry()  # the library's own threads inherit it
        try:
            ctypes.CDLL(native.__file__).pj_log_set_level(0)  # libCreate prints before its log level is known
            known = pj.ByteVector(b"pj!")
            if ctypes.string_at(content_of(known), 3) != b"pj!":
                raise HarnessFault("this pjsua2 build lays out its vectors differently: frames cannot be read")
            self._ep = pj.Endpoint()
            self._ep.libCreate()
            config = pj.EpConfig()
            config.uaConfig.threadCnt = 0
            config.uaConfig.maxCalls = CALLS_PER_PROCESS
            level = int(os.environ.get("SHOPPER_SIP_LOG", "0"))
            config.logConfig.level = config.logConfig.consoleLevel = level
            media = config.medConfig
            media.clockRate = media.sndClockRate = RATE
            media.ecTailLen, media.noVad = 0, True
            keep_every_frame(media)
            self._ep.libInit(config)
            self._ep.audDevManager().setNullDev()
            self._ep.libStart()
        except BaseException as error:
            up.set_exception(HarnessFault(f"the SIP stack did not start: {describe(error)}"))
            return
        self._running = True
        up.set_result(None)
        while self._running:
            self._ep.libHandleEvents(5)
            self._run_jobs()
        self._ep.hangupAllCalls()
        self._linger(0.3)  # BYEs go out and are confirmed
        for leg_id in list(self._media):
            self._disconnect(leg_id)
        self._linger(0.2)  # the bridge finishes its last ticks before a port goes
        self._calls.clear()
        self._free.clear()
        self._ports.clear()
        for account in self._accounts.values():
            account.shutdown()
        self._accounts.clear()
        gc.collect()
        self._ep.libDestroy(3)
        del self._ep

    def _run_jobs(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            job()
