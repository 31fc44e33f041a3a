"""A plan is drawn up from its seed alone, and a wrong one is told before anything starts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from harness.plan import LoadedPlan, Plan, expand, load_plan
from probes.target import Chat, Line, Target
from scenarios.catalogue import load, shipped
from scenarios.errors import PlanError
from scenarios.model import Limits

TARGET = Target(
    format=1,
    name="沙箱银行",
    lines={"hotline": Line(uri="sip:95001@127.0.0.1"), "busy": Line(uri="sip:95002@127.0.0.1")},
    chats={"web": Chat(url="http://127.0.0.1/")},
)
SCENARIOS = {path.stem: load(path).scenario for path in shipped()}
GOOD = """\
format: 1
name: quick
seed: 7
attempts:
  - {scenario: S01, entry: hotline, channel: voice, count: 8}
  - {scenario: S02, entry: hotline, channel: voice, count: 4}
  - {scenario: S01, entry: busy, channel: voice, count: 3}
  - {scenario: S21, entry: web, channel: chat, count: 5}
limits: {queue_s: 90}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def due(path: Path):
    return expand(load_plan(path), TARGET, SCENARIOS)


def test_every_planned_attempt_is_drawn_up_once(tmp_path):
    attempts = due(write(tmp_path, GOOD))
    counts = Counter((attempt.scenario, attempt.entry, attempt.channel) for attempt in attempts)
    assert counts == {
        ("S01", "hotline", "voice"): 8,
        ("S02", "hotline", "voice"): 4,
        ("S01", "busy", "voice"): 3,
        ("S21", "web", "chat"): 5,
    }
    assert [attempt.seq for attempt in attempts] == list(range(1, 21))
    assert all(a.id == f"a{a.seq:03}-{a.scenario}-{a.entry}" for a in attempts)
    assert len({attempt.seed for attempt in attempts}) == 20


def test_the_seed_alone_decides(tmp_path):
    path = write(tmp_path, GOOD)
    assert due(path) == due(path)
    first = due(path)
    other = due(write(tmp_path, GOOD.replace("seed: 7", "seed: 8")))
    assert [(a.scenario, a.entry) for a in other] != [(a.scenario, a.entry) for a in first]
    assert {a.seed for a in other}.isdisjoint({a.seed for a in first})


def test_order_is_pinned(tmp_path):
    """A plan drawn up again years later gives the same attempts."""
    first = due(write(tmp_path, GOOD))[:4]
    assert [(a.id, a.seed) for a in first] == [
        ("a001-S01-busy", 1226652084),
        ("a002-S01-hotline", 1372056227),
        ("a003-S02-hotline", 403449954),
        ("a004-S21-web", 799717633),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_entries_are_spread_over_the_run(tmp_path, seed):
    attempts = due(write(tmp_path, GOOD.replace("seed: 7", f"seed: {seed}")))
    for part in (attempts[:10], attempts[10:]):
        counts = Counter(attempt.entry for attempt in part)
        assert 4 <= counts["hotline"] <= 8
        assert counts["busy"] >= 1
        assert counts["web"] >= 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("entry: busy", "entry: bsy", "7:28: the target '沙箱银行' has no line 'bsy'"
                                     " (did you mean 'busy'? there are: hotline, busy)"),
        ("entry: web", "entry: hotline", "8:28: the target '沙箱银行' has no chat 'hotline' (there are: web)"),
        ("scenario: S02", "scenario: S03", "6:16: unknown scenario 'S03'"
                                          " (did you mean 'S02'? there are: S01, S02, S21, S25)"),
        ("hotline, channel: voice, count: 4", "web, channel: chat, count: 4",
         "6:42: scenario S02 is not for chat (it is for: voice)"),
        ("count: 8", "count: -1", "5:60: 'attempts[0].count': must be greater than or equal to 0"),
        ("queue_s", "queues", "9:10: unknown key 'queues' (did you mean 'queue_s'?"
                              " allowed here: ring_s, menu_s, queue_s, reply_s, session_s)"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_place(tmp_path, old, new, message):
    assert old in GOOD
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(PlanError) as wrong:
        due(path)
    assert str(wrong.value) == f"{path}:{message}"


@pytest.mark.parametrize(
    "attempts", ["[]", "[{scenario: S01, entry: hotline, channel: voice, count: 0}]"], ids=["empty", "none counted"]
)
def test_a_plan_with_no_attempts_is_told_in_one_sentence(tmp_path, attempts):
    path = write(tmp_path, f"format: 1\nname: a\nseed: 1\nattempts: {attempts}\n")
    with pytest.raises(PlanError) as wrong:
        due(path)
    message = "the plan has no attempts (give at least one entry a count above zero)"
    assert str(wrong.value) == f"{path}:4:11: {message}"
    assert wrong.value.exit_code == 2


def test_limits_override_only_what_they_name(tmp_path):
    plan = load_plan(write(tmp_path, GOOD)).plan
    assert plan.limits.over(Limits(queue_s=180, ring_s=20)) == Limits(queue_s=90, ring_s=20)


def test_hash_is_the_files_and_a_plan_in_memory_has_one_too(tmp_path):
    path = write(tmp_path, GOOD)
    loaded = load_plan(path)
    assert loaded.sha256 != load_plan(write(tmp_path, GOOD + "# signed\n")).sha256
    made = LoadedPlan.of(loaded.plan)
    assert made.sha256 == LoadedPlan.of(Plan.model_validate(loaded.plan.model_dump())).sha256 != loaded.sha256
    assert expand(made, TARGET, SCENARIOS) == expand(loaded, TARGET, SCENARIOS)
    wrong = loaded.plan.attempts[0].model_copy(update={"entry": "x"})
    made = LoadedPlan.of(loaded.plan.model_copy(update={"attempts": (wrong,)}))
    with pytest.raises(PlanError, match=r"^the target '沙箱银行' has no line 'x'"):
        expand(made, TARGET, SCENARIOS)


def test_a_script_given_by_path_keeps_its_id(tmp_path):
    """Attempt ids name folders: a path in the plan must not get into them."""
    text = GOOD.replace("scenario: S02", "scenario: ../mine/S02.yaml")
    attempts = expand(load_plan(write(tmp_path, text)), TARGET, SCENARIOS | {"../mine/S02.yaml": SCENARIOS["S02"]})
    mine = [attempt for attempt in attempts if attempt.scenario == "../mine/S02.yaml"]
    assert len(mine) == 4
    assert all(attempt.id == f"a{attempt.seq:03}-S02-hotline" for attempt in mine)
