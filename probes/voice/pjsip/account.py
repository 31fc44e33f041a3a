"""One account of the library: a trunk's settings in pjsua2's terms, and what its registrar says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pjsua2 as pj

from probes.voice.pjsip.callback import guard
from probes.voice.pjsip.registration import Answer
from probes.voice.trunk import Trunk

TRANSPORTS = {"udp": pj.PJSIP_TRANSPORT_UDP, "tcp": pj.PJSIP_TRANSPORT_TCP, "tls": pj.PJSIP_TRANSPORT_TLS}
TIMERS = {
    "off": pj.PJSUA_SIP_TIMER_INACTIVE,
    "optional": pj.PJSUA_SIP_TIMER_OPTIONAL,
    "required": pj.PJSUA_SIP_TIMER_REQUIRED,
}


class Account(pj.Account):  # type: ignore[misc]
    """Passes on incoming calls and the registrar's answers."""

    def __init__(
        self, transport: int, on_invite: Callable[[Any, int, str], None], on_answer: Callable[[Answer], None]
    ) -> None:
        self.transport, self.on_invite, self.on_answer = transport, on_invite, on_answer
        self.registered = False
        pj.Account.__init__(self)

    @guard
    def onIncomingCall(self, _now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """An INVITE has come."""
        rdata = prm.rdata
        self.on_invite(self, prm.callId, rdata.wholeMsg)

    @guard
    def onRegState(self, now: float, prm: Any) -> None:  # noqa: N802 - pjsua2's name
        """The registrar has answered, or nobody has."""
        rdata = prm.rdata
        answer = Answer(now, prm.code, prm.reason, prm.expiration, from_network=bool(rdata.wholeMsg))
        self.registered = answer.registered
        self.on_answer(answer)


def transport_config(trunk: Trunk) -> Any:
    """Returns the socket of a trunk. TLS is 1.2, and the far end's certificate is always verified."""
    config = pj.TransportConfig()
    config.port, config.boundAddress = trunk.port, trunk.bind
    if trunk.transport == "tls":
        config.tlsConfig.verifyServer = True
        config.tlsConfig.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2
        config.tlsConfig.CaListFile = str(trunk.ca_file or "")
    return config


def account_config(trunk: Trunk, transport: int, ports: range | None) -> Any:
    """Returns the account of a trunk; it registers when asked to, not by itself.

    Args:
        trunk: how calls leave.
        transport: the library's number of its socket.
        ports: for audio; None: whichever the system gives.
    """
    config = pj.AccountConfig()
    config.idUri = trunk.uri
    sip, registration = config.sipConfig, config.regConfig
    sip.transportId = transport
    if trunk.proxy is not None:
        sip.proxies.append(trunk.routed(trunk.proxy))
    if trunk.username is not None:
        sip.authCreds.append(pj.AuthCredInfo("digest", "*", trunk.username, 0, trunk.password or ""))
    registration.registerOnAdd = False
    registration.retryIntervalSec = 0  # the next call tries again, and hears what the registrar says
    if trunk.registrar is not None:
        registration.registrarUri = trunk.routed(trunk.registrar)
    _media(config.mediaConfig, trunk, ports)
    _nat(config.natConfig, trunk)
    timer, call = trunk.session_timer, config.callConfig
    call.timerUse = TIMERS[timer.use or "off"]
    call.timerSessExpiresSec, call.timerMinSESec = timer.expires_s, timer.min_se_s
    return config


def _media(media: Any, trunk: Trunk, ports: range | None) -> None:
    transport = media.transportConfig
    transport.boundAddress, transport.port = trunk.bind, 0
    if ports is not None:
        transport.port, transport.portRange = ports.start, len(ports) - 2
    if trunk.srtp:
        media.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
        media.srtpSecureSignaling = 1 if trunk.transport == "tls" else 0


def _nat(nat: Any, trunk: Trunk) -> None:
    nat.contactRewriteUse = 1 if trunk.rewrite_contact else 0
    nat.sdpNatRewriteUse = 1 if trunk.rewrite_sdp else 0
    nat.udpKaIntervalSec = trunk.keep_alive_s
    nat.iceEnabled = trunk.ice
    nat.sipOutboundUse = 0  # it gives every process of a machine the same instance id: they would unseat each other
    use = pj.PJSUA_STUN_USE_DEFAULT if trunk.stun else pj.PJSUA_STUN_USE_DISABLED
    nat.sipStunUse = nat.mediaStunUse = use
