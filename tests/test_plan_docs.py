"""What the page about plans shows is so: its second example, its keys, its table."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from harness.plan import Plan, Replace, Stratum, TimedStratum, draw_up, load_plan
from harness.plan.model import MixPart, Size, Window
from probes.target import Chat, Line, Target
from scenarios.catalogue import load
from scoring.statistics.power import n_for_power
from tests.conventions import ROOT

PAGE = (ROOT / "docs" / "plan.md").read_text(encoding="utf-8")
TARGET = Target(
    format=1,
    name="x",
    lines={"hotline": Line(uri="sip:95001@127.0.0.1")},
    chats={"website": Chat(url="http://127.0.0.1/")},
)


def drawn(path):
    plan = load_plan(path)
    scripts = {name: load(name).scenario for name in plan.plan.scenario_names()}
    return draw_up(plan, TARGET, scripts, now=datetime(2026, 11, 1, tzinfo=UTC))


def test_the_scheduled_example_can_be_drawn(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1], encoding="utf-8")
    assert len(drawn(path)) == 240


def test_the_template_becomes_a_scheduled_plan_as_its_comments_say(tmp_path):
    text = (ROOT / "harness" / "templates" / "plan.yaml").read_text(encoding="utf-8")
    text = re.sub(r"\nattempts:.*?\n\n", "\n", text, flags=re.DOTALL)
    text = re.sub(r"^# (?=window|calendar|mix|strata|size|target_rate|expected|replace|raters|comm|exec|  )", "", text,
                  flags=re.MULTILINE)  # fmt: skip
    path = tmp_path / "plan.yaml"
    path.write_text(text, encoding="utf-8")
    assert len(drawn(path)) == 200


def test_every_key_is_explained():
    models = (Plan, Stratum, TimedStratum, Size, Replace, MixPart, Window)
    keys = {info.alias or name for model in models for name, info in model.model_fields.items()}
    assert sorted(key for key in keys if f"`{key}`" not in PAGE) == []


def test_the_table_of_n_is_right():
    rows = re.findall(r"^\| (\d+) % \| (\d+) \| \| (\d+) % \| (\d+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 3
    for true, n, true_80, n_80 in rows:
        assert n_for_power(0.9, int(true) / 100) == int(n)
        assert n_for_power(0.8, int(true_80) / 100) == int(n_80)
