"""Sessions as a probe would leave them, made through the real models, for tests of scoring and results."""

import hashlib
import json
import random
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from faker import Faker

from probes.session import (
    AttemptKey,
    Event,
    Evidence,
    FactVerdict,
    Instant,
    Instants,
    Judgement,
    Outcome,
    Session,
)
from results.run_folder import RunFolder, RunInfo

START = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)
FAKER = Faker("zh_CN")
FAKER.seed_instance(11)
AGENT = FAKER.name()  # the tests look for it in what must not hold it
PERSONA = {"name": FAKER.name(), "phone": FAKER.phone_number()}
OFFERED = (Outcome.ANSWERED, Outcome.LIMIT, Outcome.DROPPED, Outcome.CALLBACK)


def event(kind, t, method="prompt", u=0.02, **data):
    return Event(kind=kind, t=round(t, 3), method=method, u=u, data=data)


def instant(t, method="prompt", u=0.02, confidence=1.0):
    return Instant(t=round(t, 3), method=method, u=u, confidence=confidence)


def _session(channel, number, outcome, **more):
    anchor = START + timedelta(minutes=3 * number)
    key = AttemptKey(
        run=more.pop("run", "r1"),
        id=more.pop("attempt", f"{channel[0]}{number:03d}"),
        scenario=more.pop("scenario", "S01" if channel == "voice" else "S21"),
        channel=channel,
        entry="main" if channel == "voice" else "web",
        seed=number,
    )
    return Session(
        attempt=key, lang="zh", scenario_version=1, scenario_sha256="0" * 64, persona=PERSONA,
        anchor_utc=anchor, anchor_monotonic=1000.0 + number, outcome=outcome, harness_version="0.1.0",
        queue_limit_s=more.pop("limit", 180.0), **more,
    )  # fmt: skip


def _judgement(resolution, by):
    verdict = {"resolved": "pass", "not_resolved": "fail", "unknown": "unknown"}[resolution]
    facts = [FactVerdict(key=key, verdict=verdict) for key in ("channels", "fee")]
    return Judgement(resolution=resolution, by=by, facts=facts)


def voice(number=1, outcome=Outcome.ANSWERED, wait=6.0, talk=22.0, resolution="unknown", **more):
    """A call: ringing at 0.1, connected at 1, menu to 6, request at 6.2, queue at 8, then as ``outcome`` says."""
    timeline = [event("dialled", 0.0, "wire", 0.001)]
    at = Instants()
    if outcome in (Outcome.BLOCKED, Outcome.MISSED, Outcome.LOST):
        return _session("voice", number, outcome, reason=more.pop("reason", "window passed"), **more)
    if outcome is Outcome.NET_FAIL:
        timeline.append(event("ended", 0.4, "wire", 0.001, by="far", cause="486 Busy Here"))
        at.end = instant(0.4, "wire")
        return _session(
            "voice", number, outcome, reason=more.pop("reason", "486 Busy Here"), timeline=timeline, instants=at, **more
        )
    timeline += [
        event("ringing", 0.1, "wire", 0.001),
        event("connected", 1.0, "wire", 0.001),
        event("prompt", 1.1, id="welcome", role="welcome", text="欢迎致电沙箱银行"),
        event("message", 1.1, speaker="ivr", text="欢迎致电沙箱银行，人工服务请按0", end=5.8, role="menu"),
    ]
    at.connected = instant(1.0, "wire", 0.001)
    if outcome is Outcome.IVR_FAIL:
        timeline.append(event("ended", 9.0, "wire", 0.001, by="far", cause="BYE"))
        at.end = instant(9.0, "wire")
        return _session(
            "voice", number, outcome, reason=more.pop("reason", "the far end hung up in the menu"),
            timeline=timeline, instants=at, **more,
        )  # fmt: skip
    queue = 8.0
    timeline += [
        event("pressed", 6.2, "callback", 0.01, digits="0"),
        event("request", 6.2, "callback", 0.01),
        event("prompt", queue, id="transfer", role="transfer", text="正在为您转接人工"),
        event("queue", queue),
        event("music", queue + 2.5),
    ]
    at.request, at.queue = instant(6.2, "callback", 0.01), instant(queue)
    if outcome is Outcome.ANSWERED:
        answer = queue + wait
        first = answer + 1.2
        end = answer + talk
        timeline += [
            event("tone", answer - 1.0, "tone", name="ringback"),
            event("answer", answer, "tone", 0.15, confidence=0.9),
            event("speech", first, "voice", 0.05),
            event("first_word", first, "voice", 0.05),
            event("message", first, "voice", 0.05, speaker="agent", text=None, end=first + 2.4),
            event("said", first + 3.5, "callback", 0.01, turn="ask-balance", text="我想查余额", end=first + 6.0),
            event("message", first + 7.1, "voice", 0.05, speaker="agent", text=None, end=first + 14.0),
            event("said", end - 3.0, "callback", 0.01, turn="farewell", text="谢谢，再见", end=end - 1.4),
        ]
        at.answer, at.first_word = instant(answer, "tone", 0.15, 0.9), instant(first, "voice", 0.05)
    else:
        end = queue + (more.get("limit", 180.0) if outcome is Outcome.LIMIT else wait)
    timeline.append(event("ended", end, "wire", 0.001, by="us" if outcome is Outcome.LIMIT else "far", cause="BYE"))
    at.end = instant(end, "wire", 0.001)
    return _session(
        "voice", number, outcome, timeline=timeline, instants=at, reason=more.pop("reason", ""),
        judgement=_judgement(resolution, "agent" if outcome is Outcome.ANSWERED else "none"),
        review=["an agent spoke and was not transcribed"] if outcome is Outcome.ANSWERED else [], **more,
    )  # fmt: skip


def chat(number=1, outcome=Outcome.ANSWERED, wait=4.0, resolution="resolved", **more):
    """A chat: widget at 0.8, first question at 1.5 answered at 2.0, 转人工 at 6.0, queue at 6.3, then as told."""
    if outcome is Outcome.NET_FAIL:
        at = Instants(end=instant(10.0, "dom"))
        timeline = [event("ended", 10.0, "dom", by="network", cause="page did not load")]
        return _session("chat", number, outcome, reason="page did not load", instants=at, timeline=timeline, **more)
    timeline = [
        event("page_loaded", 0.5, "dom", 0.005),
        event("widget_ready", 0.8, "dom", 0.005),
        event("message", 0.9, "dom", 0.005, speaker="bot", text="您好，我是智能助手", end=0.9, role="welcome"),
        event("said", 1.4, "dom", 0.005, turn="ask-statement", text="怎么查近半年的明细？", end=1.5),
        event("first_token", 2.0, "frame", 0.005, speaker="bot"),
        event("message", 2.0, "frame", 0.005, speaker="bot", text="您可以在手机银行查询，明细可查5年。", end=2.6),
        event("said", 5.9, "dom", 0.005, turn="to-human", text="转人工", end=6.0),
        event("request", 6.0, "dom", 0.005),
        event("notice", 6.3, "frame", 0.005, role="queue", text="前面还有2位客户在等待", position=2),
        event("queue", 6.3, "frame", 0.005),
    ]  # fmt: skip
    at = Instants(request=instant(6.0, "dom", 0.005), queue=instant(6.3, "frame", 0.005))
    end = 6.3 + (more.get("limit", 180.0) if outcome is Outcome.LIMIT else wait)
    if outcome is Outcome.ANSWERED:
        joined = 6.3 + wait
        timeline += [
            event("notice", joined, "frame", 0.005, role="joined", text="客服代表8021号已为您接入。", position=None),
            event("answer", joined, "frame", 0.005),
            event("first_word", joined + 0.9, "frame", 0.005),
            event("message", joined + 0.9, "frame", 0.005, speaker="agent", end=joined + 0.9,
                  text=f"您好，我是8021号客服代表{AGENT}，请问有什么可以帮您？"),
            event("said", joined + 2.0, "dom", 0.005, turn="ask-fee", text=f"我是{PERSONA['name']}，收费吗？",
                  end=joined + 2.1),
            event("message", joined + 3.4, "frame", 0.005, speaker="agent", text="不收费的。", end=joined + 3.4),
        ]  # fmt: skip
        at.answer, at.first_word = instant(joined, "frame", 0.005), instant(joined + 0.9, "frame", 0.005)
        end = joined + 6.0
    timeline.append(event("ended", end, "dom", 0.005, by="us", cause="closed"))
    at.end = instant(end, "dom", 0.005)
    return _session(
        "chat", number, outcome, timeline=timeline, instants=at, reason=more.pop("reason", ""),
        judgement=_judgement(resolution, "agent" if outcome is Outcome.ANSWERED else "bot"), **more,
    )  # fmt: skip


def a_run():
    """Twelve calls and eight chats of many outcomes, as a quick plan might end."""
    draw = random.Random(7)
    calls = [voice(n, wait=round(draw.expovariate(1 / 9), 3)) for n in range(1, 7)]
    calls += [
        voice(7, Outcome.LIMIT, limit=60.0, reason="hung up at the limit of 60 s in the queue"),
        voice(8, Outcome.DROPPED, wait=31.0, reason="the centre hung up in the queue"),
        voice(9, Outcome.CALLBACK, wait=14.0, reason="a call-back was offered"),
        voice(10, Outcome.NET_FAIL),
        voice(11, Outcome.IVR_FAIL),
        voice(12, Outcome.INVALID, wait=10.0, reason="harness: the sound device stalled"),
    ]
    chats = [chat(n, wait=round(1 + draw.expovariate(1 / 5), 3)) for n in range(21, 27)]
    chats += [chat(27, Outcome.LIMIT, limit=60.0, resolution="not_resolved"), chat(28, Outcome.NET_FAIL)]
    return calls + chats


def recording(path: Path, seconds: float) -> None:
    """Writes a two-channel 8 kHz recording: our side left, theirs right."""
    t = np.arange(int(8000 * seconds)) / 8000
    left = 6000 * np.sin(2 * np.pi * 300 * t) * (t % 4 < 1)
    right = 6000 * np.sin(2 * np.pi * 450 * t) * (t % 5 < 1)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, len(t), "NONE", ""))
        file.writeframes(np.column_stack([left, right]).astype("<i2").tobytes())


def fill(folder: RunFolder, sessions, info: dict | None = None) -> None:
    """Writes the sessions with their evidence, and run.json."""
    for session in sessions:
        home = folder.session_dir(session.attempt.id)
        home.mkdir()
        end = session.instants.end
        if session.attempt.channel == "voice" and end is not None:
            recording(home / "call.wav", end.t)
            kind, name = "recording", "call.wav"
        else:
            turns = [e.data for e in session.timeline if e.kind in ("said", "message")]
            (home / "transcript.jsonl").write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in turns))
            kind, name = "transcript", "transcript.jsonl"
        data = (home / name).read_bytes()
        item = Evidence(name=name, kind=kind, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        folder.write_session(session.model_copy(update={"evidence": [item]}))
    folder.write_info(
        RunInfo(
            **{
                "id": folder.id, "created_utc": START, "target": "沙箱银行", "target_sha256": "a" * 64,
                "plan": "quick", "plan_sha256": "b" * 64, "seed": 7, "sandbox": True, "planned": 20,
                "versions": {"shopper": "0.1.0", "python": "3.11"}, **(info or {}),
            }
        )
    )  # fmt: skip
