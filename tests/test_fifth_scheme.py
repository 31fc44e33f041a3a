"""A scheme that nobody has written code for: a file, loaded, scored, explained, written as a workbook."""

from datetime import date
from fractions import Fraction

import pytest
from openpyxl import load_workbook

from results.score_sheets import write_score_sheets
from scenarios.errors import SchemeError
from scoring.contract import as_contract
from scoring.inputs import Inputs, check
from scoring.inputs.template import template_yaml
from scoring.scheme import load_scheme
from scoring.scorer import score
from tests.shopper import shopper

TINY = """
format: 2
id: TINY-1
key: T
standard: none
title: {zh: 小方案, en: A tiny scheme}
edition: V1
valid_from: 2026-01-01
valid_to: null
composite:
  clause: "9"
  formula: {zh: 得分之和, en: the sum}
  add_boost: false
dimensions:
  - id: T.A
    name: {zh: 效率, en: Efficiency}
    clause: "1"
    weight: 60
    factor: "0.5"
    indicators:
      - id: T.A.1
        name: {zh: 接通率, en: Connect rate}
        clauses: ["1.1"]
        weight: 60
        metric: voice.connect_rate
        unit: share
        bands:
          - {coefficient: "1", at_least: 50%, quote: 一半以上}
          - {coefficient: "1/2", below: 50%, quote: 不足一半}
        thresholds:
          - {quantity: {zh: 接通率, en: connect rate}, of: value, at_least: 40%, unit: share, quote: 不低于40%}
        policy: coef_full_marks
        policy_stated: true
        evidence: [simulation]
        probe: full
  - id: T.B
    name: {zh: 其他, en: The rest}
    clause: "2"
    weight: 40
    indicators:
      - id: T.B.1
        name: {zh: 态度, en: Manner}
        clauses: ["2.1"]
        weight: 40
        policy: manual
        evidence: [interview]
        probe: none
defects:
  - {code: X99, when: always, zh: 本方案仅供测试。, en: This scheme is for tests only.}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "TINY-1.yaml"
    path.write_text(TINY, encoding="utf-8")
    return path


def test_it_is_scored(file):
    scheme = load_scheme("TINY-1", file.parent)
    given = {"scheme": "TINY-1", "indicators": {"T.A.1": {"value": 0.45}, "T.B.1": {"score": 80}}}
    card = score(None, scheme, check(Inputs.model_validate(given), scheme), today=date(2026, 11, 21))
    # 60 points x 0.5 of full marks x the dimension's factor 0.5, and 40 x 0.8
    assert card.composite.literal.value == Fraction(15 + 32)
    assert card.composite.literal.full == 30 + 40
    assert [(one.code, one.text.zh) for one in card.warnings] == [("X99", "本方案仅供测试。")]
    assert as_contract(card)["indicators"][0]["verdict"] == "符合"
    book = load_workbook(write_score_sheets(card, scheme, file.with_suffix(".xlsx")))
    assert any("T.A.1" in str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row)
    assert "T.B.1" in template_yaml(scheme)


def test_the_command_takes_its_file(file, tmp_path):
    inputs = tmp_path / "inputs.yaml"
    inputs.write_text("scheme: TINY-1\nindicators: {T.A.1: {value: 0.5}}\n", encoding="utf-8")
    done = shopper("score", "--scheme", file, "--inputs", inputs, "--format", "json")
    found = done.document["composite"]
    assert (found["low"], found["high"], found["literal"]) == (30, 70, None)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("weight: 60\n    factor", "weight: 61\n    factor", "add up to 60, not 61"),
        ("below: 50%", "below: 49%", "gap or overlap"),
        ("metric: voice.connect_rate\n", "metric: voice.luck\n", "unknown metric voice.luck"),
        ("id: T.B.1", "id: T.A.1", "twice"),
    ],
)
def test_a_wrong_file_is_refused(file, old, new, says):
    file.write_text(TINY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SchemeError, match=says):
        load_scheme(str(file))
