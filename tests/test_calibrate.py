"""The calibration certificate: right figures from known errors, kept, handed to runs, and never silently missing."""

import io
import json
import math
import subprocess
from datetime import UTC, date, datetime

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from harness import certificate as certificates
from harness.calibration import Pair
from harness.calibration import pair as pair_up
from harness.commands.calibrate import AT_ONCE, SEED, load, write_plan
from harness.plan import load_plan
from probes.hearing.version import HEARING_VERSION
from results import report, summary
from results.certificate import CONDITIONS, INSTANTS, Certificate, Figure, Quoted, Series, as_text, milliseconds, quoted
from results.observe import table
from results.run_folder import HearingPass, RunFolder
from scenarios.errors import FolderUnwritable, RunError
from scoring.metrics import compute
from scoring.scheme import load_scheme
from scoring.scorer import score
from tests.session_factory import a_run, chat, event, fill, voice
from tests.shopper import ROOT, command

MADE = datetime(2026, 11, 21, 3, 4, tzinfo=UTC)


def series(condition="idle", **figures):
    known = {id_: Figure.of([0.010, 0.030]) for id_ in INSTANTS} | figures
    return Series(condition=condition, run="r0", calls=8, chats=4, load=0.1, stalls=3, figures=known)


def certificate(hearing=HEARING_VERSION, **figures):
    return certificates.make([series(**figures)], MADE).model_copy(update={"hearing": hearing})


@pytest.fixture(autouse=True)
def data_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "contact-centre-shopper" / "calibration"


# ---- figures


def test_figures_of_known_errors():
    found = Figure.of([0.010, 0.020, 0.060, float("nan")])
    assert (found.n, found.missed) == (3, 1)
    assert found.bias_s == pytest.approx(0.030)
    assert found.sd_s == pytest.approx(0.026458, abs=1e-6)
    assert found.max_s == pytest.approx(0.060)
    assert found.expanded_s == pytest.approx(2 * math.hypot(0.030, 0.026458), abs=2e-6)


def test_too_few_have_no_spread():
    assert Figure.of([]) == Figure(n=0, missed=0)
    assert Figure.of([float("nan")] * 2) == Figure(n=0, missed=2)
    one = Figure.of([-0.5])
    assert (one.n, one.bias_s, one.max_s, one.sd_s, one.expanded_s) == (1, -0.5, 0.5, None, None)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=50), st.integers(0, 5))
def test_what_must_hold_of_all_figures(errors, missed):
    found = Figure.of([*errors, *[float("nan")] * missed])
    assert (found.n, found.missed) == (len(errors), missed)
    assert found.expanded_s >= 2 * abs(found.bias_s) - 3e-6
    assert found.max_s >= abs(found.bias_s) - 3e-6
    assert found.expanded_s >= 2 * found.sd_s - 3e-6


def test_milliseconds():
    assert [milliseconds(s, sign=True) for s in (0.0123, -0.0041, 0.25)] == ["+12", "−4.1", "+250"]
    assert milliseconds(None) == "?"


# ---- errors of sessions


def of_call(**errors):
    """A call whose instants are later than the truth by these seconds."""
    session = voice(1)
    at, anchor = session.instants, session.anchor_monotonic
    tone = next(e.t for e in session.timeline if e.kind == "tone")
    true = {
        "ringing": 0.1, "answered": 1.0, "queue": at.queue.t, "ringback": tone, "agent": at.answer.t,
        "first_word": at.first_word.t,
    }  # fmt: skip
    rows = [{"event": name, "t_mono": anchor + t - errors.get(name, 0)} for name, t in true.items()]
    rows += [{"event": "invite", "t_mono": anchor}, {"event": "key", "t_mono": anchor + 6.2}]
    return Pair(session, [row | {"session": "voice-1-1", "t_wall": 0.0} for row in rows])


def test_errors_are_measured_minus_true():
    pairs = [of_call(ringing=0.001, answered=-0.002, queue=0.1, ringback=-0.05, agent=0.3, first_word=-0.2)]
    found = {id_: [round(e.error_s, 6) for e in errors] for id_, errors in certificates.errors_of(pairs).items()}
    assert found == {
        "signalling": [0.001, -0.002], "queue": [0.1], "ringback": [-0.05], "answer": [0.3], "first_word": [-0.2],
        "chat_reply": [],
    }  # fmt: skip


def test_what_was_not_found_is_missed_and_not_left_out():
    pair = of_call()
    timeline = [e for e in pair.session.timeline if e.kind != "tone"]
    instants = pair.session.instants.model_copy(update={"answer": None})
    deaf = Pair(pair.session.model_copy(update={"timeline": timeline, "instants": instants}), pair.truth)
    found = certificates.errors_of([deaf])
    assert [math.isnan(e.error_s) for id_ in ("ringback", "answer", "queue") for e in found[id_]] == [True, True, False]


def test_another_tone_is_no_ringback():
    pair = of_call()
    busy = [e if e.kind != "tone" else event("tone", e.t, "tone", name="busy") for e in pair.session.timeline]
    found = certificates.errors_of([Pair(pair.session.model_copy(update={"timeline": busy}), pair.truth)])
    assert math.isnan(found["ringback"][0].error_s)


def test_calls_that_began_together_are_told_apart_by_their_call_id(tmp_path):
    calls = []
    for number, id_ in enumerate(["one@caller", "two@caller"], 1):
        session = voice(number)
        timeline = [event("dialled", 0.0, "wire", 0.001, call_id=id_), *session.timeline[1:]]
        calls.append(session.model_copy(update={"timeline": timeline, "anchor_monotonic": 70.0}))
    truth = tmp_path / "truth.jsonl"
    rows = [  # the centre took the second one first, and each exactly when the other was dialled
        {"t_mono": t, "t_wall": 0.0, "session": name, "event": "invite", "call_id": id_}
        for t, name, id_ in [(70.0, "voice-1", "two@caller"), (70.4, "voice-2", "one@caller")]
    ]
    truth.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = [one.truth[0]["session"] for one in pair_up(calls, truth)]
    assert found == ["voice-2", "voice-1"]


def test_a_run_is_held_against_its_truth_log(tmp_path):
    folder = RunFolder.create(tmp_path, "r1")
    pair = of_call(queue=0.25)
    stalled = [*pair.session.timeline, event("stall", 3, "frame", seconds=0.3)]
    reply = chat(2)
    said = [e for e in reply.timeline if e.kind == "message" and e.data["speaker"] == "bot"]
    rows = [dict(row) for row in pair.truth]
    rows += [
        {"session": "chat-1", "event": "bot_first_token", "text": e.data["text"], "t_wall": 0.0,
         "t_mono": reply.anchor_monotonic + e.t - 0.02}
        for e in said
    ]  # fmt: skip
    rows += [
        {"session": "chat-1", "event": "user_message", "t_wall": 0.0, "t_mono": reply.anchor_monotonic + e.t}
        for e in reply.timeline
        if e.kind == "said"
    ]
    folder.sandbox.mkdir()
    (folder.sandbox / "truth.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    page_stalled = [*reply.timeline, event("stall", 3, "dom", seconds=0.4)]  # not the audio clock
    for session, timeline in ((pair.session, stalled), (reply, page_stalled)):
        folder.write_session(session.model_copy(update={"timeline": timeline}))
    found = certificates.compare(folder, "busy", 0.123)
    assert (found.run, found.condition, found.calls, found.chats, found.stalls, found.load) == (
        "r1",
        "busy",
        1,
        1,
        1,
        0.12,
    )
    assert found.figures["queue"] == Figure.of([0.25])
    assert found.figures["signalling"] == Figure.of([0.0, 0.0])
    assert found.figures["chat_reply"].n == len(said) > 0
    assert found.figures["chat_reply"].bias_s == pytest.approx(0.02)


# ---- keeping and handing out


def test_saved_read_and_handed_to_a_run(tmp_path, data_home):
    saved, text = certificates.save(certificate(), data_home)
    assert certificates.home() == data_home
    assert certificates.in_force() == certificate() == Certificate.model_validate_json(saved.read_bytes())
    assert "±" in text.read_text("utf-8")
    folder = RunFolder.create(tmp_path / "runs", "r1")
    certificates.hand_to(folder)
    assert folder.read_certificate() == certificate()


def test_the_certificate_that_a_run_began_with_stays(tmp_path, data_home):
    folder = RunFolder.create(tmp_path / "runs", "r1")
    for hearing in (1, 2):
        certificates.save(certificate(hearing), data_home)
        certificates.hand_to(folder)
    assert folder.read_certificate().hearing == 1


@pytest.mark.parametrize("content", [None, "", "{}", '{"format": 9}'])
def test_none_that_can_be_read_refuses_no_run(tmp_path, data_home, content):
    if content is not None:
        data_home.mkdir(parents=True)
        (data_home / "certificate.json").write_text(content)
    assert certificates.in_force() is None
    folder = RunFolder.create(tmp_path / "runs", "r1")
    certificates.hand_to(folder)
    assert folder.read_certificate() is None


def test_a_damaged_copy_is_named(tmp_path):
    folder = RunFolder.create(tmp_path, "r1")
    folder.certificate.write_text('{"format": 1}')
    with pytest.raises(RunError, match=r"certificate\.json"):
        quoted(folder)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnwritable):
        certificates.save(certificate(), tmp_path / "file" / "below")


def test_no_name_of_the_host_is_in_it():
    import platform

    text = certificate().model_dump_json() + as_text(certificate())
    assert platform.node()
    assert f'"{platform.node()}"' not in text
    machine = certificates.machine()
    assert machine.cores >= 1
    assert all((machine.cpu, machine.kernel, machine.python))


def test_the_text_has_every_figure_in_both_languages():
    text = as_text(certificate())
    for words in (*INSTANTS.values(), CONDITIONS["idle"]):
        assert words.zh in text
        assert words.en in text
    assert text.count("+20 ± 49") == 2 * len(INSTANTS)
    assert "k = 2" in text
    assert "2026-11-21 03:04 UTC" in text


# ---- quoting


@pytest.mark.parametrize(
    ("made", "heard", "fault"),
    [(None, 2, "no calibration certificate"), (1, 2, "out of date"), (2, 2, None), (3, 2, None)],
)
def test_what_is_wrong_is_said(made, heard, fault):
    found = Quoted(None if made is None else certificate(made), heard).fault
    assert (found is None) == (fault is None)
    if fault is not None:
        assert fault in found.en
        assert "校准证书" in found.zh
        assert "shopper calibrate" in found.zh
        assert "shopper calibrate" in found.en


def finished(root, kept, heard=2):
    folder = RunFolder.create(root, "r1")
    fill(folder, a_run(), {})
    folder.write_hearings(HearingPass(name=f"{heard}-x", hearing=heard, sessions=0), [])
    if kept is not None:
        folder.write_certificate(kept)
    metrics = compute(table(folder.sessions()))
    folder.write_metrics(metrics)
    card = score(metrics, load_scheme("CMM-525-0005"), today=date(2026, 11, 21))
    folder.write_scorecard(card)
    return folder, metrics, card


def printed(root, kept, lang, heard=2):
    folder, metrics, card = finished(root, kept, heard)
    out = io.StringIO()
    console = Console(file=out, width=200, force_terminal=True, color_system="standard")
    summary.render(console, metrics, card, lang, calibrated=quoted(folder))
    return out.getvalue(), report.write(folder, lang).read_text("utf-8")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_summary_and_report_quote_it(tmp_path, lang):
    screen, page = printed(tmp_path, certificate(), lang)
    for said in (screen, page):
        assert said.count("+20 ± 49") == len(INSTANTS)
        assert INSTANTS["first_word"].in_(lang) in said.replace("&#39;", "'")
        assert "shopper calibrate" not in said
    assert '<p class="statement wrong">' not in page


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize(("kept", "zh", "en"), [(None, "没有校准证书", "no calibration"), (1, "过时", "out of date")])
def test_summary_and_report_say_in_red_what_is_wrong(tmp_path, lang, kept, zh, en):
    screen, page = printed(tmp_path, None if kept is None else certificate(kept), lang)
    red = next(line for line in screen.splitlines() if zh in line)
    assert red.startswith("\x1b[1;31m")
    assert en in red
    wrong = page.split('<p class="statement wrong">')[1].split("</p>")[0]
    assert zh in wrong
    assert en in wrong
    css = page.split(".statement.wrong")[1].split("}")[0]
    assert "color: var(--bad)" in css


def test_a_run_that_only_the_live_ear_heard_needs_version_one(tmp_path):
    folder = RunFolder.create(tmp_path, "r1")
    folder.write_certificate(certificate(1))
    assert quoted(folder).fault is None


def test_an_instant_without_a_spread_is_shown_as_such(tmp_path):
    screen, _ = printed(tmp_path, certificate(ringback=Figure.of([0.1, float("nan")]), queue=Figure.of([])), "en")
    rows = [line for line in screen.splitlines() if " idle " in line]
    assert any("ringback" in row and "1, 1 missed" in row and "+100 ± ?" in row for row in rows)
    assert any("queue entry" in row and "–" in row for row in rows)


# ---- the plan and the load


@pytest.mark.parametrize(("calls", "voice_calls", "chats"), [(4, [2, 2], 2), (17, [9, 8], 8)])
def test_the_plan(tmp_path, calls, voice_calls, chats):
    plan = load_plan(write_plan(tmp_path / "calibration-busy.yaml", "busy", calls)).plan
    assert [one.count for one in plan.attempts if one.channel == "voice"] == voice_calls
    assert [one.count for one in plan.attempts if one.channel == "chat"] == [chats]
    assert plan.at_once.voice == AT_ONCE
    assert plan.seed == SEED + 1


def test_the_load_works_and_ends_with_its_block():
    with load(2, limit_s=60) as ids:
        processes = [psutil.Process(id_) for id_ in ids]
        before = [sum(one.cpu_times()[:2]) for one in processes]
        assert len(processes) == 2
        deadline = 400
        while any(sum(one.cpu_times()[:2]) - was < 0.1 for one, was in zip(processes, before, strict=True)):
            deadline -= 1
            assert deadline, "the load does not work"
            psutil.cpu_percent(interval=0.05)
    assert not any(one.is_running() for one in processes)


def test_the_load_ends_by_itself():
    with load(1, limit_s=0.2) as ids:
        psutil.Process(ids[0]).wait(timeout=30)


# ---- all of it


@pytest.mark.realtime
@pytest.mark.long
def test_calibrate_and_quote(tmp_path, data_home):
    old = certificate(hearing=1)
    certificates.save(old, data_home)
    done = subprocess.run(
        command("calibrate", "--runs", tmp_path / "runs", "--calls", "4", "--out", tmp_path / "out", "--json"),
        cwd=ROOT, capture_output=True, text=True, timeout=220, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout, done.stderr
    made = Certificate.model_validate_json(done.stdout)
    assert made == certificates.in_force() == certificates.in_force(tmp_path / "out")
    assert made.hearing == HEARING_VERSION
    (idle,) = made.series
    figures = idle.figures
    assert (idle.condition, idle.calls, idle.chats) == ("idle", 4, 2)
    assert {id_: figure.n for id_, figure in figures.items() if id_ != "chat_reply"} == {
        "signalling": 8, "ringback": 4, "queue": 4, "answer": 4, "first_word": 4,
    }  # fmt: skip
    assert figures["chat_reply"].n >= 2
    assert all(figure.expanded_s < 5 for figure in figures.values())
    assert abs(figures["signalling"].bias_s) < 0.5
    assert (done.returncode == 0) == ("not measured" not in done.stderr), done.stderr

    run = RunFolder.open(tmp_path / "runs" / idle.run)
    assert run.read_certificate() == old  # the one that was in force when it began
    again = subprocess.run(
        command("score", run.path), cwd=ROOT, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL
    )
    assert "校准证书过时" in again.stdout
    assert "out of date" in run.report.read_text("utf-8")
