"""A scorecard on the terminal, as somebody reads it who has never seen one."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from results.observe import table
from results.score_table import render
from scoring.metrics import compute
from scoring.scheme import schemes
from tests.scored_inputs import card, load
from tests.session_factory import a_run, voice

A, B, C = "CMM-525-0005", "CMM-525-0006", "CTS-TBSC97-2026"
RUN = compute(table(a_run()))


def shown(found, lang="zh", width=140):
    out = io.StringIO()
    render(Console(file=out, width=width), found, lang)
    return out.getvalue()


@pytest.mark.parametrize("scheme", schemes())
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("width", [80, 100, 120, 140])
def test_every_indicator_has_its_row_at_any_width(scheme, lang, width):
    text = shown(card(scheme, RUN), lang, width)
    head = text.split("\n综合评价得分")[0].split("\nComposite")[0].splitlines()
    for _, one in load(scheme).indicators():
        assert [line for line in head if line.startswith(f" {one.id} ")], one.id
    assert max(cell_len(line) for line in head) <= width


def test_the_interval_and_what_it_leaves_open_are_shown():
    text = shown(card(A, compute(table([voice(n, wait=3.0) for n in range(30)]))))
    line = next(row for row in text.splitlines() if row.startswith(" A.SE.1"))
    assert "100.0 % (n=30)" in line
    assert "1/0.9" in line
    assert "88.4–100.0 %" in text


def test_the_headline_stands_first():
    for mode, first in (("literal", "原值"), ("normalised", "归一化")):
        text = shown(card(A, readings={"composite.mode": mode}))
        line = next(row for row in text.splitlines() if row.startswith("综合评价得分"))
        assert line.index(first) < line.index({"原值": "归一化", "归一化": "原值"}[first])


def test_both_readings_of_the_level_are_shown_while_something_is_open():
    text = shown(card(C, occasions=[{"id": "o1", "rater": "r1", "alpha": {"C.1.1": "0.9"}}]))
    line = next(row for row in text.splitlines() if row.startswith("认证级别"))
    assert "gate" in line
    assert "读法A: 不通过" in line
    assert "读法B: 不通过" in line


def test_what_an_evaluator_wrote_is_no_markup():
    alpha = {one.id: "0.7" for _, one in load(C).indicators()}
    occasions = [{"id": f"[b]{n}[/b]", "rater": "[red]", "alpha": alpha} for n in range(2)]
    maturity = {one.id: 3 for one in load(C).maturity.items}
    text = shown(card(C, occasions=occasions, gate="passed", maturity=maturity, readings={"star.row1_label": "[合格]"}))
    assert "[b]0[/b] ([red]) 70" in text
    assert "[合格]" in next(row for row in text.splitlines() if row.startswith("认证级别"))


def test_missed_requirements_are_candidates_with_the_severity_given():
    text = shown(
        card(B, requirements={"B.R.10.3.1.2": {"value": 75}}, readings={"nc.severity_map": {"B.R.10.3.1.2": "轻微"}})
    )
    assert "候选不符合项: B.R.10.3.1.2 员工排班合理性评价得分 (轻微)" in text
    assert "B.R.10.3.1.2 员工排班合理性评价得分 75: 不符合" in text


def test_what_is_stated_is_shown_with_its_switch():
    text = shown(card(A, readings={"certificate.validity_months": 36, "verdict.pass_score": 200}))
    assert "证书有效期：36个月 (certificate.validity_months)" in text
    assert "机构自定的合格线（非规则要求）：综合得分（原值）200分，不符合 (verdict.pass_score)" in text


def test_a_warning_names_the_few_indicators_it_is_about():
    text = shown(card(A, indicators={"A.SE.1": {"value": "0.9", "source": "system"}}))
    assert "X13 [A.SE.1] 接通率恰为90.0 %" in text
