"""The process's one SIP endpoint: the owner thread, and what others ask of it."""

from __future__ import annotations

import asyncio
import gc
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, TypeVar

import pjsua2 as pj

from probes.voice.layout import hurry
from probes.voice.leg import CALLS_PER_PROCESS, Leg
from probes.voice.pjsip.account import TRANSPORTS, Account, account_config, transport_config
from probes.voice.pjsip.bridge import Bridge
from probes.voice.pjsip.call import Call, param
from probes.voice.pjsip.callback import describe
from probes.voice.pjsip.library import Library
from probes.voice.pjsip.registration import PATIENCE_S, Answer, Registered, Registration, refused
from probes.voice.trunk import Trunk
from probes.voice.wire.ports import PortBlock, port_of, reserve
from probes.voice.wire.tap import Tap
from scenarios.errors import FarEndFault, HarnessFault, ProbeFault

TOO_MANY = 70010  # PJ_ETOOMANY
BUSY = (70011, 171001)  # PJ_EBUSY, PJSIP_EBUSY: a REGISTER is under way already
ACCOUNTS = 8  # a constant of the library as it is built; a ninth would abort the process
FAREWELL_S = 2.0  # for the registrars to confirm that we have gone
log = logging.getLogger(__name__)
T = TypeVar("T")


class Endpoint:
    """The process's one SIP endpoint."""

    answering: type[Call] = Call  # what an incoming call becomes

    def __init__(self, on_invite: Callable[[Leg], None] | None = None, *, wire: Tap | None = None) -> None:
        """Prepares it.

        Args:
            on_invite: takes incoming calls; None: they are rejected.
            wire: captures the packets of its calls; None: nobody does.
        """
        self.on_invite, self.wire = on_invite, wire
        self.ids = iter(range(1, 1 << 62))
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._over: deque[Leg] = deque()  # whose calls have ended and are still to be let go of
        self.bridge = Bridge()
        self._calls: dict[int, Call] = {}
        self._accounts: dict[Trunk, Account] = {}
        self._registrations: dict[Trunk, Registration] = {}
        self._troubles: deque[tuple[float, str]] = deque(maxlen=10)
        self._running = False
        self._ports: PortBlock | None = None
        self.stopping = False

    async def start(self) -> Endpoint:
        """Starts the library on its owner thread."""
        self.loop = asyncio.get_running_loop()
        hurry()
        self._ports = reserve()
        if self._ports is not None:
            self._watch(self._ports.ports)
        up: Future[None] = Future()
        self._thread = threading.Thread(target=self._own, args=(up,), name="pj-owner", daemon=True)
        self._thread.start()
        await asyncio.wrap_future(up)
        self._library.libRegisterThread("loop")  # should a stray pj object ever be freed here, it must not abort
        return self

    async def stop(self) -> None:
        """Hangs up what is left and ends the library."""
        if self._running:
            self.stopping = True
            self._running = False
            for state in self._registrations.values():
                state.settle(Answer(time.monotonic(), 503, "the SIP stack stops", 0))
            await asyncio.to_thread(self._thread.join)
        if self._ports is not None:
            self._ports.close()

    async def bind(self, trunk: Trunk) -> str:
        """Opens ``trunk`` for incoming calls; returns ``host:port``."""
        return await self.do(lambda: self._name(self._account(trunk).transport))

    def leg(self, uri: str) -> Leg:
        """Returns a leg that has not been dialled yet."""
        return Leg(self, uri)

    async def register(self, trunk: Trunk) -> Registered:
        """Registers ``trunk``, or returns the registration that stands; the library refreshes it by itself.

        Raises:
            HarnessFault: it has no registrar, or the registrar refused or did not answer; the reason says which.
        """
        if trunk.registrar is None:
            raise HarnessFault(f"the trunk of {trunk.uri} names no registrar")
        state = self._registrations.setdefault(trunk, Registration())
        async with state.lock:
            if state.standing is not None:
                return state.standing
            waiting, asked = state.expect(), time.monotonic()
            await self.do(lambda: self._send_register(trunk))
            try:
                async with asyncio.timeout(PATIENCE_S):
                    answer = await waiting
            except TimeoutError:
                answer = Answer(time.monotonic(), 408, "Request Timeout", 0)
            if state.standing is None:
                raise refused(trunk, answer, self.transport_trouble(asked))
            return state.standing

    async def dial(self, leg: Leg, trunk: Trunk) -> float:
        """Sends the INVITE; returns the instant before it was handed to the stack.

        Registers first if the trunk wants that. Waits for a slot if all are taken: the stack keeps a call's slot
        until its BYE is confirmed.

        Raises:
            HarnessFault: the trunk is not registered, the stack refused (URI, account, transport), or no slot became
                free.
        """
        if trunk.registrar is not None:
            await self.register(trunk)

        def invite() -> float | None:
            if leg.hung_up:
                raise HarnessFault("hung up before it was dialled")
            account = self._account(trunk)
            self._library.prefer(trunk.codecs)
            if trunk.transport == "tcp":  # our own port is not known before it is connected
                far = port_of(trunk.proxy or leg.number)
                self._watch(range(far, far + 1))
            call = Call(self, account, leg, trunk=trunk)
            self._calls[leg.id] = call
            now = time.monotonic()
            try:
                call.makeCall(leg.number if trunk.proxy else trunk.routed(leg.number), param())
            except pj.Error as error:
                self._calls.pop(leg.id, None)
                if error.status == TOO_MANY:
                    return None
                raise
            leg.dialled = now
            leg.call_id = call.identity()
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
        await self.on_call(leg, lambda call: call.answer(param(code)))

    async def press(self, leg: Leg, digits: str, how: Literal["rfc4733", "info"]) -> float:
        """Sends keys; returns the instant at which they were handed to the stack."""

        def send(call: Any) -> float:
            keys = pj.CallSendDtmfParam()
            keys.digits, keys.duration = digits, 160
            keys.method = pj.PJSUA_DTMF_METHOD_RFC2833 if how == "rfc4733" else pj.PJSUA_DTMF_METHOD_SIP_INFO
            call.sendDtmf(keys)
            return time.monotonic()

        return await self.on_call(leg, send)

    async def hang_up(self, leg: Leg, code: int) -> bool:
        """Sends BYE, CANCEL or a final response; returns whether there was a call to end."""
        try:
            await self.on_call(leg, lambda call: call.hangup(param(code)))
            return True
        except ProbeFault as fault:
            log.debug("hang-up: %s", fault)
            return False

    # ---- owner thread only from here on

    def incoming(self, account: Any, call_id: int, invite: str) -> None:
        """Takes an incoming call, or rejects it if nobody listens."""
        self._let_go()  # its slot may be that of a call that ended a moment ago
        leg = Leg(self, invite.split(" ", 2)[1])
        call = self._calls[leg.id] = self.answering(self, account, leg, call_id=call_id)
        leg.call_id = call.identity()
        if self.on_invite is None:
            call.hangup(param(603))
        else:
            self.loop.call_soon_threadsafe(self.on_invite, leg)

    def release(self, leg: Leg) -> None:
        """Lets go of a call that has ended, once the callback it came from has returned.

        Before any other job: an object of the library hangs up, when it goes, whatever call has its slot by then.
        """
        self._over.append(leg)

    def _let_go(self) -> None:
        while self._over:
            leg = self._over.popleft()
            self.bridge.disconnect(leg.id)
            self._calls.pop(leg.id, None)

    def transport_trouble(self, since: float) -> str | None:
        """Returns why a connection failed since the monotonic instant ``since``, if one did. Any thread."""
        return next((text for at, text in reversed(self._troubles) if at >= since), None)

    def _linger(self, seconds: float, while_: Callable[[], bool] = lambda: True) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and while_():
            self._library.libHandleEvents(5)
            self._run_jobs()

    def _account(self, trunk: Trunk) -> Account:
        if trunk not in self._accounts:
            if len(self._accounts) == ACCOUNTS:
                raise HarnessFault(f"one process serves at most {ACCOUNTS} trunks (the SIP library's limit)")
            if trunk.stun:
                self._library.natUpdateStunServers(pj.StringVector(trunk.stun), True)
            transport = self._library.transportCreate(TRANSPORTS[trunk.transport], transport_config(trunk))
            account = Account(transport, self.incoming, lambda answer: self._answered(trunk, answer))
            account.create(account_config(trunk, transport, None if self._ports is None else self._ports.ports))
            self._watch(range(port := port_of(self._name(transport)), port + 1))
            self._accounts[trunk] = account
        return self._accounts[trunk]

    def _name(self, transport: int) -> str:
        return str(self._library.transportGetInfo(transport).localName)

    def _watch(self, ports: range) -> None:
        if self.wire is not None:
            self.wire.watch([ports])

    def _answered(self, trunk: Trunk, answer: Answer) -> None:
        state = self._registrations.get(trunk)
        if state is not None and not self.stopping:
            self.loop.call_soon_threadsafe(state.settle, answer)

    def _send_register(self, trunk: Trunk) -> None:
        try:
            self._account(trunk).setRegistration(True)
        except pj.Error as error:
            if error.status not in BUSY:  # then its answer is still to come
                raise

    def _deregister(self) -> None:
        accounts = [account for account in self._accounts.values() if account.registered]
        for account in accounts:
            account.setRegistration(False)
        self._linger(FAREWELL_S, lambda: any(account.registered for account in accounts))

    def _own(self, up: Future[None]) -> None:
        hurry()  # the library's own threads inherit it
        try:
            self._library = Library(lambda at, text: self._troubles.append((at, text)))
            self._library.set_up()
        except BaseException as error:
            up.set_exception(HarnessFault(f"the SIP stack did not start: {describe(error)}"))
            return
        self._running = True
        up.set_result(None)
        while self._running:
            self._library.libHandleEvents(5)
            self._run_jobs()
        self._library.hangupAllCalls()
        self._linger(0.3)  # BYEs go out and are confirmed
        self.bridge.disconnect_all()
        self._calls.clear()
        self.bridge.clear()
        self._deregister()
        for account in self._accounts.values():
            account.shutdown()
        self._accounts.clear()
        gc.collect()
        self._library.libDestroy(3)
        del self._library

    def _run_jobs(self) -> None:
        while True:
            self._let_go()
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            job()
