"""The report: one page that needs nothing else, shows every session, and names nobody."""

import base64
import hashlib
import io
import re
import shutil
import wave
from datetime import date

import numpy as np
import pytest
from faker import Faker

from harness.flow import flow
from probes.session import Outcome
from results import report
from results.observe import table
from results.recording import alaw, mono, web_wav
from results.redaction import AGENT as MASKED
from results.redaction import Mask
from results.run_folder import PlanChange, RunFolder
from results.scored import standings
from results.storyline import tell
from scenarios.errors import RunError
from scoring.metrics import compute
from scoring.scheme import load_scheme
from scoring.scorer import score
from tests.attempt_rows import NOW, at, row
from tests.session_factory import AGENT, PERSONA, START, a_run, chat, fill, recording, voice

NAMES = Faker("en_GB")
NAMES.seed_instance(5)
OTHER = NAMES.first_name()
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


def finished(root, sessions, lang="zh", flow_table=None, **info):
    folder = RunFolder.create(root, "r1")
    fill(folder, sessions, info)
    if flow_table is not None:
        folder.write_flow(flow_table)
    rows = table(folder.sessions())
    metrics = compute(rows)
    folder.write_metrics(metrics)
    folder.write_scorecard(score(metrics, load_scheme("CMM-525-0005"), today=date(2026, 11, 21)))
    return folder, report.write(folder, lang).read_text("utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("report"), a_run())


def without_scripts(page):
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def test_nothing_is_fetched(made):
    page = without_scripts(made[1])
    assert not re.search(r'(?:src|href)="(?!data:|sessions/)', page)
    assert "<link" not in page
    assert "@import" not in page
    assert "url(" not in page


def test_every_session_is_there_with_its_recording_or_transcript(made):
    folder, page = made
    for session in folder.sessions():
        assert f'<details id="{session.attempt.id}">' in page
    calls = [s for s in folder.sessions() if any(e.kind == "recording" for e in s.evidence)]
    assert page.count("data:audio/wav;base64,") == len(calls) == 12
    assert "不收费的。" in page


def test_header_says_what_it_stands_for(made):
    page = made[1]
    for said in ("仅代表抽测时段", "quick", "b" * 16, "shopper 0.1.0", "内置沙箱中心", "2025-05-20", "随机种子"):
        assert said in page


def test_numbers_carry_n_and_interval(made):
    page = made[1]
    assert "6/9 · 95 % 35.4–87.9 % · L=60/180 s" in page
    assert page.count('class="whisker"') == 13
    assert "−1 本方故障" in page
    assert "486 Busy Here" in page


def test_nobody_is_named(made):
    page = made[1]
    assert AGENT not in page
    assert "8021" not in without_scripts(re.sub(r"base64,[^\"]*", "", page))
    assert not any(value in page for value in PERSONA.values())
    assert MASKED in page


def test_what_the_far_end_says_is_text_not_markup(tmp_path):
    evil = chat(1, reason="<img src=x onerror=alert(1)>")
    evil.timeline[5].data["text"] = "<script>alert(1)</script>"
    _, page = finished(tmp_path, [evil], target="<b>bank</b>")
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<img src=x" not in page
    assert "<b>bank" not in page


def test_english(tmp_path):
    _, page = finished(tmp_path, [voice(1), chat(2)], "en")
    assert '<html lang="en">' in page
    assert "stand for the sampled hours only" in page
    assert "评分卡" not in page


def test_large_recordings_are_linked_not_embedded(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "LIMIT_BYTES", 6_000_000)
    folder, page = finished(tmp_path, [voice(n, talk=30.0) for n in range(1, 5)])
    linked = re.findall(r'href="(sessions/[^"]+call\.wav)"', page)
    assert linked
    assert page.count("data:audio/wav") + len(linked) == 4
    assert all((folder.path / link).is_file() for link in linked)
    assert len(page.encode()) < 6_000_000


@pytest.mark.parametrize("sessions", [[], [voice(1, Outcome.NET_FAIL)], [voice(1, Outcome.LOST)], [chat(1)]])
def test_small_runs_render(tmp_path, sessions):
    _, page = finished(tmp_path, sessions)
    assert page.rstrip().endswith("</html>")


def test_a_run_without_scores_is_refused(tmp_path):
    folder = RunFolder.create(tmp_path, "r1")
    fill(folder, [voice(1)])
    with pytest.raises(RunError, match=r"metrics\.json"):
        report.write(folder)


def test_the_same_run_gives_the_same_page(tmp_path):
    folder, page = finished(tmp_path, [voice(1), chat(2)])
    assert report.write(folder).read_text("utf-8") == page


CHANGE = PlanChange(
    at=START, by="Auditor <A>", reason="the client closed its evening shift", old_sha256="c" * 64, new_sha256="b" * 64
)


def a_campaign():
    """The run of ``a_run`` as a campaign's ledger would hold it, with attempts that never became a session."""
    sessions = a_run()
    rows = [
        row(
            n, s.outcome, id=s.attempt.id, channel=s.attempt.channel, reason=s.reason, connected=s.outcome != "NET_FAIL"
        )
        for n, s in enumerate(sessions, start=1)
    ]
    rows += [row(30, "MISSED", claimed=None, reason="its window passed"), row(31, due=at(60)), row(32, replaces="v012")]
    found = flow(rows, standings(table(sessions), load_scheme("CMM-525-0005")), NOW)
    return sessions, found


def test_a_campaigns_flow_table_is_shown_with_its_losses(tmp_path):
    sessions, found = a_campaign()
    page = finished(tmp_path, sessions, flow_table=found)[1]
    part = re.search(r'<div class="flow stages">(.*?)\n</div>', page, re.DOTALL)[1]
    shown = [int(n) for n in re.findall(r"<b>(\d+)</b>", part)]
    lost = [int(n) for n in re.findall(r'class="lost[^"]*">−(\d+)', part)]
    assert shown == list(found.counts.values()) == [23, 22, 20, 18, 17, 9]
    assert shown[0] - shown[-1] == sum(lost) == 14
    assert part.count("lost pending") == 3  # what is planned; still to come; waiting for its turn
    for said in ("尚未到时", "等待轮到", "方案内 22，替补 1", "错过时段", "无计分指标", "486 Busy Here"):
        assert said in part
    assert "无：自首次拨测起方案未更改" in page


def test_a_run_that_is_no_campaign_shows_neither(made):
    assert "流程表" not in made[1]
    assert "方案偏离" not in made[1]


def test_a_changed_plan_is_always_shown(tmp_path):
    page = finished(tmp_path, [voice(1)], deviations=(CHANGE,))[1]
    for said in (
        "方案偏离",
        "Auditor &lt;A&gt;",
        CHANGE.reason,
        CHANGE.old_sha256,
        CHANGE.new_sha256,
        "2026-11-20 02:00",
    ):
        assert said in page
    assert "方案未更改" not in page


def test_a_plan_that_was_changed_and_not_signed_for_is_shown(tmp_path):
    folder, page = finished(tmp_path, [voice(1)])
    assert "nobody signed" not in page
    folder.plan.write_text("format: 1\n")
    assert "nobody signed for a change" in report.write(folder, "en").read_text("utf-8")
    info = folder.info()
    folder.write_info(info.model_copy(update={"plan_sha256": hashlib.sha256(folder.plan.read_bytes()).hexdigest()}))
    assert "nobody signed" not in report.write(folder, "en").read_text("utf-8")


def test_a_flow_table_that_does_not_add_up_is_refused(tmp_path):
    sessions, found = a_campaign()
    folder = finished(tmp_path, sessions, flow_table=found)[0]
    folder.flow.write_text(folder.flow.read_text().replace('"planned": 23', '"planned": 24'))
    with pytest.raises(RunError, match=r"flow\.json.*add up"):
        report.write(folder)


def test_a_campaigns_page_in_english(tmp_path):
    sessions, found = a_campaign()
    folder = finished(tmp_path, sessions, "en", flow_table=found, deviations=(CHANGE,))[0]
    page = without_scripts(folder.report.read_text("utf-8"))
    assert "Each stage is the next one" in page
    assert "流程表" not in page


@pytest.mark.skipif(CHROMIUM is None, reason="no browser")
def test_it_opens_without_a_network_and_draws_the_curve(made):
    from playwright.sync_api import sync_playwright

    trouble, asked = [], []
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(offline=True)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(made[0].report.as_uri())
        page.wait_for_selector("#waits-curve .scatterlayer path", state="attached")
        page.evaluate("document.getElementById('v001').open = true")
        duration = page.evaluate(
            "new Promise((ok, no) => { const a = document.querySelector('#v001 audio');"
            " a.onloadedmetadata = () => ok(a.duration); a.onerror = () => no(a.error.message); a.load(); })"
        )
        wide = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()
    assert trouble == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    end = next(s for s in made[0].sessions() if s.attempt.id == "v001").instants.end.t
    assert duration == pytest.approx(end, abs=0.05)
    assert wide


def test_alaw_is_g711():
    samples = np.array([0, 8, -8, 32767, -32768, 1000], dtype=np.int16)
    assert alaw(samples)[:5] == bytes([0xD5, 0xD5, 0x55, 0xAA, 0x2A])


def test_web_wav_is_a_mono_mix(tmp_path):
    recording(tmp_path / "call.wav", 2.5)
    data = web_wav(tmp_path / "call.wav")
    assert data[:4] == b"RIFF"
    assert len(data) < 8000 * 2.5 + 100
    assert int.from_bytes(data[20:22], "little") == 6  # A-law
    with wave.open(str(tmp_path / "call.wav"), "rb") as file:
        both = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert np.array_equal(mono(tmp_path / "call.wav"), both.sum(axis=1).astype(np.int16))
    base64.b64encode(data)


def test_other_rates_become_8_khz(tmp_path):
    with wave.open(str(tmp_path / "wide.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(np.zeros(16000, "<i2").tobytes())
    assert mono(tmp_path / "wide.wav").shape == (8000,)


def test_a_damaged_recording_is_refused(tmp_path):
    file = tmp_path / "call.wav"
    file.write_bytes(io.BytesIO(b"RIFF????WAVE").getvalue())
    with pytest.raises(RunError, match="recording"):
        web_wav(file)


@pytest.mark.parametrize(
    "said",
    [
        f"我是8021号客服代表{AGENT}，很高兴为您服务。",
        f"这里是人工客服，工号8021，我姓{AGENT[0]}，请讲。",
        f"工号8021为您服务，您可以叫我小{AGENT[0]}，请问有什么可以帮您？",
        f"我是{AGENT}，工号8021，请讲。",
        "客服代表8021号已为您接入。",
        f"My name is {OTHER}, agent 8021.",
        f"Agent {OTHER} has joined the chat.",
    ],
)
def test_greetings_lose_name_and_number(said):
    shown = Mask({})(said)
    assert "8021" not in shown
    assert AGENT not in shown
    assert f"我姓{AGENT[0]}" not in shown
    assert f"小{AGENT[0]}" not in shown
    assert OTHER not in shown


@pytest.mark.parametrize(
    "said",
    [
        "您可以在手机银行查询，明细可查5年。",
        "请拨打95588。",
        "我是银行客户，想查2024年的明细。",
        "I am sorry, the fee is 20 yuan.",
    ],
)
def test_other_words_and_numbers_stay(said):
    assert Mask({})(said) == said


def test_what_a_chat_showed_stands_under_its_words():
    session = chat(21)
    parts = [
        {"kind": "image", "text": "磁条磨损的示意图", "url": "https://bank.example/p.png"},
        {"kind": "link", "text": "", "url": "https://bank.example/f"},
        {"kind": "card", "text": f"办理人{PERSONA['name']}"},
        {"kind": "hologram", "text": "?"},
    ]
    said = next(event for event in session.timeline if event.kind == "message" and event.t == 2.0)
    shown = said.model_copy(update={"data": said.data | {"parts": parts}})
    session.timeline[session.timeline.index(said)] = shown
    session.timeline.append(shown.model_copy(update={"t": 3.0, "data": shown.data | {"text": "", "parts": parts[:1]}}))
    for lang, image, link, card in (("zh", "图片", "链接", "卡片"), ("en", "image", "link", "card")):
        texts = [bubble.text for bubble in tell(session, lang, 20.0).bubbles]
        lines = f"[{image}] 磁条磨损的示意图\n[{link}] https://bank.example/f\n[{card}] 办理人〔测试身份〕"
        assert f"{said.data['text']}\n{lines}" in texts
        assert f"[{image}] 磁条磨损的示意图" in texts
