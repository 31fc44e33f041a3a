"""The measuring pass: recordings found because calls share them, people told from recordings, nothing guessed."""

import numpy as np
import pytest

from harness.bench.rehearing import INSTANTS, WIRES, hear, keep, session_of
from harness.bench.unheard_centre import CLEAN, LOSSY, call, campaign, library
from harness.rehear import measure_run
from probes.hearing.wav import RATE
from probes.rehearing.evidence import concealed
from probes.rehearing.learning import learn
from probes.rehearing.persons import weigh
from probes.rehearing.repeats import Heard, find_repeats
from probes.rehearing.sessions import Library, rehear
from probes.session import CERTAIN, Event
from results.evidence import check
from results.run_folder import RunFolder, RunInfo
from scenarios.errors import InputError
from tests.session_factory import START


@pytest.fixture(scope="module", params=WIRES)
def together(request):
    """Twenty calls to all lines, without any list of recordings, on one kind of wire."""
    return request.param, hear(campaign(20, WIRES[request.param], seed=500))


def test_outcomes_are_right_or_handed_to_a_person(together):
    name, found = together
    assert found.wrong == []
    assert found.right + found.wordless >= (20 if name == "clean" else 19) - found.review
    assert found.review <= 2  # the voices are never rendered alike: seldom two sound like recordings


def test_nobody_has_answered_while_a_recording_plays(together):
    assert together[1].early == 0


def test_instants(together):
    name, found = together
    assert all(len(found.errors[instant]) >= 8 for instant in INSTANTS.values())
    for instant in INSTANTS.values():
        assert found.worst(instant, 95) < (0.25 if name == "clean" else 0.6), instant
        if name == "clean":
            assert found.worst(instant, 50) < 0.05, instant


def test_a_single_call_without_any_help_is_never_wrong():
    found = hear(campaign(10, CLEAN, seed=700), together=False)
    assert found.wrong == []
    assert 0 < found.review < 10, "it is sure of some, and says of others that it is not"


def test_the_list_of_recordings_settles_what_words_alone_can_tell():
    found = hear([call("call-back", 1), call("drops", 2), call("hotline", 3)], Library(library()))
    assert (found.right, found.review, found.wrong) == (3, 0, [])


def test_the_same_input_gives_the_same_bytes(tmp_path):
    calls = campaign(4, LOSSY, seed=40)
    pairs = []
    for number, one in enumerate(calls):
        keep(one, tmp_path / str(number))
        pairs.append((session_of(one, number), tmp_path / str(number)))
    first, second = rehear(pairs, Library()), rehear(list(reversed(pairs)), Library())
    assert first.name == second.name
    assert [h.model_dump_json() for h in first.hearings] == [h.model_dump_json() for h in second.hearings]
    assert rehear(pairs[:3], Library()).name != first.name


@pytest.fixture
def run(tmp_path):
    """A run of six calls, as it lies on disk."""
    folder = RunFolder.create(tmp_path, "r1")
    folder.write_info(RunInfo(id="r1", created_utc=START, planned=6))
    for number, line in enumerate(("hotline", "hotline", "drops", "drops", "call-back", "dead-end")):
        one = call(line, 60 + number)
        session = session_of(one, number)
        keep(one, folder.session_dir(session.attempt.id))
        folder.write_session(session)
    return folder


def test_what_is_found_lies_beside_the_sessions_and_counts(run):
    before = {path: path.read_bytes() for path in run.sessions_dir.glob("*/session.json")}
    first = measure_run(run, None)
    assert {path: path.read_bytes() for path in before} == before
    true = ("ANSWERED", "ANSWERED", "DROPPED", "DROPPED", "CALLBACK", "IVR_FAIL")
    sure = [(str(s.outcome), expected) for s, expected in zip(first.after, true, strict=True) if s.certain]
    assert [found for found, _ in sure] == [expected for _, expected in sure]
    assert len(sure) >= 3
    assert not first.after[4].certain, "the only call to its line, and its words are not known"
    second = measure_run(run, Library(library()))
    assert [str(session.outcome) for session in second.after][4] == "CALLBACK"
    assert [one.name for one in run.hearings().passes] == [first.name, second.name]
    third = measure_run(run, None)
    assert third.name == second.name, "the kept library is the one that was known"
    assert len(list(run.session_dir("v000").glob("hearing-*.json"))) == 2
    strangers = [sentence for sentence in check(run) if "hearing-" in sentence]
    assert strangers == [], "what was made from the evidence belongs beside it"
    answer = second.after[0].instants.answer
    assert answer.low <= answer.t <= answer.high
    word = second.after[0].instants.first_word
    assert word.confidence >= (CERTAIN if second.after[0].certain else 0.5)
    assert 0.5 <= answer.confidence <= word.confidence, "where it began may be less sure than that it was a person"


def test_a_damaged_recording_is_named(run):
    (run.session_dir("v001") / "call.wav").write_bytes(b"RIFF")
    with pytest.raises(InputError, match=r"v001.*recording cannot be read"):
        measure_run(run, None)


def test_recordings_are_learnt_from_calls(run):
    sessions = [(session, run.session_dir(session.attempt.id)) for session in run.sessions()]
    found = learn(sessions, Library())
    assert {proposal.role for proposal in found} >= {"menu", "queue"}
    whole = next(pcm for prompt, pcm in library() if prompt.id == "menu")
    menu = max(found, key=lambda proposal: (proposal.calls, proposal.seconds))
    assert menu.calls >= 5
    assert 0.5 < menu.seconds <= len(whole) / RATE + 3
    left = learn(sessions, Library(library()))
    assert [proposal for proposal in left if proposal.calls > 1] == [], "what calls share is all in the list"


def test_people_never_repeat_themselves_and_recordings_do():
    one, two = call("hotline", 11), call("hotline", 12)
    repeats = find_repeats([Heard.of(one.far), Heard.of(two.far)])
    others = [r for r in repeats[0] if r.other == 1]
    assert any(r.start < one.truth["queue"] < r.end + 3 for r in others)
    assert not any(r.end > one.truth["first_word"] + 0.3 for r in others)


def test_lost_packets_are_filled_and_silence_is_not():
    tone = (3000 * np.sin(2 * np.pi * 450 * np.arange(4000) / RATE)).astype(np.int16)
    holed = tone.copy()
    holed[1600:1760] = 0
    assert np.abs(concealed(holed)[1600:1760].astype(int) - tone[1600:1760]).max() < 30
    silent = np.concatenate((tone, np.zeros(4000, np.int16), tone))
    assert (concealed(silent) == silent).all()


def speech(t, end, **data):
    return [
        Event(kind="speech", t=t, method="voice"),
        Event(kind="message", t=t, method="voice", data={"speaker": "agent", "end": end} | data),
    ]


REQUEST = Event(kind="request", t=5.0, method="wire")


@pytest.mark.parametrize(
    ("more", "least", "most"),
    [
        ([], 0.5, 0.5),
        ([Event(kind="music", t=13.4, method="voice")], 0.0, 0.1),
        ([Event(kind="tone_end", t=9.5, method="tone", data={"name": "ringback"})], 0.8, 0.9),
        ([Event(kind="said", t=15.0, method="callback", data={"end": 17.0}), *speech(17.5, 19.0)], 0.8, 0.9),
        ([Event(kind="ended", t=13.2, method="wire", data={"by": "far"})], 0.0, 0.2),
    ],
    ids=["alone", "music follows", "ringing ended", "answered us", "hung up"],
)
def test_each_sign_is_weighed(more, least, most):
    timeline = sorted([REQUEST, *speech(10.0, 13.0), *more], key=lambda event: event.t)
    assert least <= weigh(timeline, 0)[0].person <= most


def test_words_are_weighed_where_there_are_any():
    queue, greeting = (
        weigh([REQUEST, *speech(10.0, 13.0, text=text)], 0)[0].person
        for text in ("座席正忙，请耐心等待。", "您好，很高兴为您服务。")
    )
    assert queue < 0.1
    assert greeting > 0.8
