"""Calls that leave by a real carrier: Kamailio registers, challenges, encrypts, passes on; its log is the witness."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.inputs import speech_cache
from harness.sandbox.centre import Centre
from harness.sandbox.truth import Truth
from probes.equipment import Equipment
from probes.probe import Assignment, run
from probes.session import AttemptKey, Session
from probes.target import SessionTimer
from probes.target_file import load_target
from probes.voice.leg import Leg, Signal
from probes.voice.pjsip.endpoint import Endpoint
from probes.voice.trunk import Trunk
from scenarios.catalogue import load as load_scenario
from scenarios.errors import HarnessFault
from scenarios.model import Limits
from tests.kamailio import PASSWORD, USER, Kamailio, Server, certify, free_ports
from tests.shopper import ROOT, write_yaml

pytestmark = pytest.mark.realtime

CODES = {"95002": 486, "95003": 403}  # what the far end says to a call of these numbers; it answers the others
SECURE = "95009"  # is answered by a far end that insists on SRTP


@dataclass
class Exchange:
    """Our endpoint, which is also the far end, and the carrier between the two."""

    endpoint: Endpoint
    carrier: Kamailio
    answered: asyncio.Queue[Leg]

    def trunk(self, door: str = "digest", **more: object) -> Trunk:
        """Returns a trunk to a door of the carrier; it registers where that is done."""
        known = {"registrar": self.carrier.uri(door), "username": USER, "password": PASSWORD}
        if door == "tls":
            known |= {"transport": "tls", "ca_file": self.carrier.authority}
        elif door != "digest":
            known = {}
        return Trunk(**{"name": door, "uri": self.carrier.uri(door, USER), **known, **more})

    async def call(self, trunk: Trunk, number: str = "95001", door: str = "digest") -> tuple[Leg, Signal]:
        """Dials and returns the leg with the signal that says what became of the call."""
        leg = self.endpoint.leg(self.carrier.uri(door, number))
        await self.endpoint.dial(leg, trunk)
        return leg, await told(leg, "connected", "ended")


async def told(leg: Leg, *kinds: str) -> Signal:
    """Returns the next signal of one of these kinds."""
    async with asyncio.timeout(10):
        while (signal := await leg.signals.get()).kind not in kinds:
            pass
        return signal


@asynccontextmanager
async def exchange(folder: Path, tls13: bool = False) -> AsyncIterator[Exchange]:
    answered: asyncio.Queue[Leg] = asyncio.Queue()
    tasks: set[asyncio.Task[None]] = set()

    async def answer(leg: Leg) -> None:
        number = re.search(r"sip:(\d+)@", leg.number)[1]
        if number in CODES:
            await leg.hang_up(CODES[number])
            return
        await leg.answer(200)
        answered.put_nowait(leg)

    def invited(leg: Leg) -> None:
        task = asyncio.create_task(answer(leg))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    endpoint = await Endpoint(on_invite=invited).start()
    try:
        timer = SessionTimer(use="optional")
        plain = await endpoint.bind(Trunk(uri="sip:centre@127.0.0.1", session_timer=timer))
        secure = await endpoint.bind(Trunk(uri=f"sip:{SECURE}@127.0.0.1", srtp=True))
        with Kamailio(folder, dict.fromkeys(["95001", *CODES], plain) | {SECURE: secure}, tls13=tls13) as carrier:
            try:
                yield Exchange(endpoint, carrier, answered)
            finally:
                await endpoint.stop()
    finally:
        await endpoint.stop()
        assert not tasks


def hold(folder: Path, test: Callable[[Exchange], Coroutine[None, None, None]], tls13: bool = False) -> Kamailio:
    """Runs ``test`` and returns the carrier, stopped, with its log."""

    async def go() -> Kamailio:
        async with exchange(folder, tls13) as set_up:
            await test(set_up)
        return set_up.carrier

    return asyncio.run(go())


def test_a_registered_trunk_registers_once_calls_and_goes(tmp_path):
    async def test(at: Exchange) -> None:
        trunk = at.trunk()
        first, second = await asyncio.gather(at.call(trunk), at.call(trunk))
        assert (first[1].kind, second[1].kind) == ("connected", "connected")
        found = await at.endpoint.register(trunk)
        assert (found.code, found.expires_s) == (200, 120)
        assert 0 < found.seconds < 5
        assert at.carrier.seen("^present|^absent") == [f"present {USER}"]

    carrier = hold(tmp_path, test)

    order = [row.split()[:3] for row in carrier.seen("^request (REGISTER|INVITE)|^present|^absent")]
    assert order[:3] == [["request", "REGISTER", "to=<null>"]] * 2 + [["present", USER]], "before any call"
    assert order[-1] == ["absent", USER], "un-registered at the end"
    assert len(carrier.seen(f"INVITE .*user={USER}")) == 2
    assert PASSWORD not in carrier.log.read_text(errors="replace")


def test_who_refuses_is_told_apart(tmp_path):
    async def test(at: Exchange) -> None:
        stranger = at.trunk(registrar=None, username=None, password=None)
        wrong = at.trunk(registrar=None, password="wrong")
        nobody = Trunk(name="nobody", uri="sip:audit@127.0.0.1", transport="tcp")
        [closed] = free_ports(1)
        silent = at.endpoint.leg(f"sip:95001@127.0.0.1:{closed}")
        await at.endpoint.dial(silent, nobody)
        found = {
            "no credentials": (await at.call(stranger))[1],
            "wrong password": (await at.call(wrong))[1],
            "busy": (await at.call(at.trunk(), "95002"))[1],
            "forbidden": (await at.call(at.trunk(), "95003"))[1],
            "no such number": (await at.call(at.trunk(), "95099"))[1],
            "nobody there": await told(silent, "ended"),
        }
        said = {name: (signal.data["code"], signal.data["whose"]) for name, signal in found.items()}
        assert said == {
            "no credentials": (407, "line"),
            "wrong password": (407, "line"),
            "busy": (486, "far"),
            "forbidden": (403, "unclear"),
            "no such number": (404, "far"),
            "nobody there": (503, "line"),
        }
        assert "Connection refused" in found["nobody there"].data["reason"]

    hold(tmp_path, test)


def test_a_trunk_that_cannot_register_says_why_and_may_try_again(tmp_path):
    async def test(at: Exchange) -> None:
        reasons = {
            "the user name or the password is wrong": at.trunk(password="wrong"),
            "403 Subscription Ended": at.trunk(username="barred"),
            "Connection refused": at.trunk(transport="tcp", registrar=f"sip:127.0.0.1:{free_ports(1)[0]}"),
        }
        for reason, trunk in reasons.items():
            for _ in range(2):
                with pytest.raises(HarnessFault, match=reason) as fault:
                    await at.call(trunk)
                assert str(fault.value).startswith("our own line: ")
                assert PASSWORD not in str(fault.value)
        assert at.carrier.seen("INVITE") == [], "nobody is called from a trunk that is not registered"
        assert len(at.carrier.seen("REGISTER .*user=barred")) == 2

    hold(tmp_path, test)


def test_a_registration_that_is_waited_for_ends_with_the_endpoint(tmp_path):
    async def go() -> None:
        endpoint = await Endpoint().start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
            mute.bind(("127.0.0.1", 0))
            registrar = f"sip:127.0.0.1:{mute.getsockname()[1]}"
            waiting = asyncio.create_task(endpoint.register(Trunk(uri="sip:audit@127.0.0.1", registrar=registrar)))
            await asyncio.to_thread(mute.recv, 4096)
            await endpoint.stop()
            with pytest.raises(HarnessFault, match="the SIP stack stops"):
                await waiting

    asyncio.run(go())


def test_tls_is_verified_and_carries_srtp(tmp_path):
    async def test(at: Exchange) -> None:
        leg, signal = await at.call(at.trunk("tls", srtp=True), SECURE, "tls")
        assert signal.kind == "connected"
        far = await at.answered.get()
        await told(far, "connected")
        await leg.press("5", "rfc4733")  # it comes as SRTP or not at all
        assert (await told(far, "dtmf")).data["digit"] == "5"
        other = at.trunk("tls", ca_file=certify(tmp_path, "other"))
        with pytest.raises(HarnessFault, match=r"certificate of 127.0.0.1:\d+ is not trusted"):
            await at.call(other, door="tls")
        unregistered = replace(other, registrar=None)
        _, refused = await at.call(unregistered, door="tls")
        assert refused.data["whose"] == "line"
        assert "is not trusted" in refused.data["reason"]

    carrier = hold(tmp_path, test)

    assert len(carrier.seen("INVITE .*by=tls")) == 2, "with and without credentials, none without trust"
    assert carrier.seen(f"offer to={SECURE} m=audio \\d+ RTP/SAVP .*a=crypto")


def test_a_carrier_of_tls_1_3_is_reached_by_the_proxy_of_the_documents(tmp_path):
    sketch = re.search(r"```\n(listen=.*?)```", (ROOT / "docs" / "lines.md").read_text(encoding="utf-8"), re.DOTALL)[1]

    async def test(at: Exchange) -> None:
        udp, tls = free_ports(2)
        carrier = f"127.0.0.1:{at.carrier.ports.tls}"
        values = {
            "OUR-ADDRESS:5061": f"127.0.0.1:{tls}", "CARRIER:5061": carrier, "5066": str(udp),
            "CARRIER-AUTHORITY.pem": str(at.carrier.authority), "OURS": str(certify(tmp_path, "ours").with_suffix("")),
        }  # fmt: skip
        text = sketch
        for name, value in values.items():
            assert name in text
            text = text.replace(name, value)
        ours = "log_stderror=yes\nchildren=1\nsocket_workers=1\ntcp_children=1\n"
        with Server(tmp_path / "front", ours + text, udp):
            with pytest.raises(HarnessFault, match="our own line"):
                await at.endpoint.register(at.trunk("tls"))  # the library alone cannot
            domain = at.carrier.uri("tls")
            trunk = at.trunk(uri=at.carrier.uri("tls", USER), registrar=domain, proxy=f"sip:127.0.0.1:{udp}")
            leg = at.endpoint.leg(f"sip:95001@{carrier}")
            await at.endpoint.dial(leg, trunk)
            assert (await told(leg, "connected", "ended")).kind == "connected"
            await leg.hang_up()
            await at.endpoint.stop()

    carrier = hold(tmp_path, test, tls13=True)

    assert len(carrier.seen(f"INVITE .*by=tls .*user={USER}")) == 1
    assert carrier.seen("BYE .*by=tls")
    assert carrier.seen("^present|^absent") == [f"present {USER}", f"absent {USER}"]


def test_a_trunk_known_by_its_address_needs_no_password(tmp_path):
    async def test(at: Exchange) -> None:
        _, signal = await at.call(at.trunk("allowing"), door="allowing")
        assert signal.kind == "connected"
        _, signal = await at.call(at.trunk("refusing"), door="refusing")
        assert (signal.data["code"], signal.data["whose"]) == (403, "unclear")

    carrier = hold(tmp_path, test)

    assert carrier.seen("REGISTER") == []
    assert len(carrier.seen("request INVITE")) == 2


def test_everything_goes_through_the_proxy(tmp_path):
    async def test(at: Exchange) -> None:
        trunk = at.trunk(registrar="sip:127.0.0.1:9", uri="sip:audit@127.0.0.1", proxy=at.carrier.uri("digest"))
        leg = at.endpoint.leg("sip:95001@127.0.0.1:9")  # nobody listens there
        await at.endpoint.dial(leg, trunk)
        assert (await told(leg, "connected", "ended")).kind == "connected"

    assert hold(tmp_path, test).seen(f"^present {USER}")


@pytest.mark.parametrize("use", ["off", "optional", "required"])
def test_session_timers_are_negotiated(tmp_path, use):
    async def test(at: Exchange) -> None:
        _, signal = await at.call(at.trunk(session_timer=SessionTimer(use=use, expires_s=600, min_se_s=120)))
        assert signal.kind == "connected"

    carrier = hold(tmp_path, test)

    [offer] = set(carrier.seen("^invite"))
    [reply] = carrier.seen("^reply 200")
    if use == "off":
        assert "timer=<null> minimum=<null>" in offer
        assert "timer=<null>" in reply
    else:
        assert "timer=600 minimum=120" in offer
        assert ("require=timer" in offer) == (use == "required")
        assert "timer=600;refresher=" in reply


def test_keys_arrive_both_ways_codecs_keep_their_order_and_the_way_is_kept_open(tmp_path):
    async def test(at: Exchange) -> None:
        leg, _ = await at.call(at.trunk(codecs=("G722", "PCMU", "PCMA"), keep_alive_s=2))
        far = await at.answered.get()
        await leg.press("12", "rfc4733")
        assert [(await told(far, "dtmf")).data["digit"] for _ in "12"] == ["1", "2"]
        assert at.carrier.seen("^info") == [], "RFC 4733 keys travel with the audio"
        await leg.press("34", "info")
        assert [(await told(far, "dtmf")).data["digit"] for _ in "34"] == ["3", "4"]
        await leg.hang_up()
        await at.call(at.trunk(codecs=("PCMA",), keep_alive_s=2))
        assert 0 < await at.carrier.kept_alive() < 10, "a packet now and then, not a flood"

    carrier = hold(tmp_path, test)

    first, second = list(dict.fromkeys(re.search(r"AVP ([\d ]+?) ?$", row)[1] for row in carrier.seen("^offer")))
    assert first.startswith("9 0 8 "), "G722, PCMU, PCMA"
    assert second.split()[0] == "8"
    assert not {"0", "9"} & set(second.split())
    assert [row.split()[1] for row in carrier.seen("^info")] == ["body=Signal=3", "body=Signal=4"]


def test_stun_says_which_address_we_register(tmp_path):
    """The STUN server (RFC 5389) is a socket here: it says that we come from another port than we think."""

    async def test(at: Exchange) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stun:
            stun.bind(("127.0.0.1", 0))
            stun.settimeout(5)

            def serve() -> None:
                try:
                    while True:
                        asked, source = stun.recvfrom(2048)
                        mapped = b"\0\x01\0\x08\0\x01" + (40404).to_bytes(2) + socket.inet_aton("127.0.0.1")
                        stun.sendto(b"\x01\x01\0\x0c" + asked[4:20] + mapped, source)
                except OSError:
                    return

            serving = asyncio.create_task(asyncio.to_thread(serve))
            server = f"127.0.0.1:{stun.getsockname()[1]}"
            await at.endpoint.register(at.trunk(stun=(server,), rewrite_contact=False))
            stun.close()
            await serving

    carrier = hold(tmp_path, test)
    assert carrier.seen(r"REGISTER .*contact=<sip:audit@127.0.0.1:40404")


@dataclass
class Audit:
    """What came of one attempt by each trunk."""

    sessions: dict[str, Session]
    carrier: Kamailio
    truth: list[dict[str, Any]]
    folder: Path


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Probes the sandbox's hotline through the carrier, by a good trunk and by two that are ours to mend."""
    folder = tmp_path_factory.mktemp("audit")
    script = load_scenario("S01")
    asking = tuple(step for step in script.scenario.steps if step.human is not None)
    errand = script.scenario.model_copy(update={"steps": asking, "facts": ()})  # to be answered is enough here

    async def go() -> Audit:
        centre = Centre(folder / "centre", seed=5, cache=speech_cache(), chat=False)
        equipment = Equipment(speech_cache())
        async with centre as aim:
            described = load_target(aim).target.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
            hotline = described["lines"]["hotline-1"]
            with Kamailio(folder / "carrier", {"95001": hotline["uri"].split("@")[1]}) as carrier:
                certify(aim.parent, "other")
                target = load_target(write_yaml(aim.parent / "trunks.yaml", described | through(carrier, hotline)))

                async def probe(name: str) -> Session:
                    key = AttemptKey(run="r", id=name, scenario="S01", channel="voice", entry=name, seed=1)
                    (folder / name).mkdir()
                    job = Assignment(
                        key, errand, script.sha256, target.target, target.folder,
                        Limits(queue_s=30, session_s=90), "zh", folder / name, "test",
                    )  # fmt: skip
                    return await run(job, equipment)

                try:
                    sessions = await asyncio.gather(*(probe(name) for name in target.target.lines))
                finally:
                    await equipment.close()
        found = {session.attempt.entry: session for session in sessions}
        return Audit(found, carrier, Truth.read(centre.truth), folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SHOPPER_TEST_TRUNK", PASSWORD)
        patch.setenv("SHOPPER_TEST_BAD", "not-the-password")
        return asyncio.run(go())


def through(carrier: Kamailio, hotline: dict[str, Any]) -> dict[str, Any]:
    """Returns trunks of a target and a line for each; ``hotline`` is the line they all call."""
    good = {
        "kind": "registered", "uri": carrier.uri("digest", USER), "registrar": carrier.uri("digest"),
        "password_env": "SHOPPER_TEST_TRUNK",
    }  # fmt: skip
    trunks = {
        "good": good,
        "bad": good | {"password_env": "SHOPPER_TEST_BAD"},
        "odd": good | {"transport": "tls", "registrar": carrier.uri("tls"), "ca_file": "other.pem"},
    }
    line = {"uri": carrier.uri("digest", "95001"), "to_human": hotline["to_human"]}
    lines = {name: json.loads(json.dumps(line)) | {"trunk": name} for name in trunks}
    return {"format": 1, "trunks": trunks, "lines": lines}


def test_the_sandbox_is_called_through_the_carrier(audit: Audit) -> None:
    session = audit.sessions["good"]
    assert session.outcome == "ANSWERED", session.reason
    assert [row["number"] for row in audit.truth if row["event"] == "invite"] == ["95001"]
    assert audit.carrier.seen("^present|^absent") == [f"present {USER}", f"absent {USER}"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("bad", "401 Unauthorized (the user name or the password is wrong)"), ("odd", "is not trusted")],
)
def test_what_our_own_line_refuses_is_invalid_and_one_sentence(audit: Audit, name: str, reason: str) -> None:
    session = audit.sessions[name]
    assert session.outcome == "INVALID"
    assert session.reason.startswith("our own line: ")
    assert reason in session.reason
    assert "\n" not in session.reason
    assert [event.kind for event in session.timeline] == []


def test_no_password_is_left_behind(audit: Audit) -> None:
    files = [path for path in audit.folder.rglob("*") if path.is_file() and path.name != "kamailio.cfg"]
    written = b"".join(path.read_bytes() for path in files)
    written += b"".join(session.model_dump_json().encode() for session in audit.sessions.values())
    assert len(written) > 10_000
    assert PASSWORD.encode() not in written
    assert b"not-the-password" not in written
