"""Inputs of a scoring: what loads, exactly, and the sentence for every mistake, with its line and its cure."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import re
from datetime import date, datetime
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from scenarios.errors import InputError, InputsError
from scoring.inputs import Inputs, Places, check, load_inputs
from scoring.inputs import model as inputs_model
from scoring.scheme import load_scheme, schemes
from tests.conventions import ROOT
from tests.inputs_material import as_yaml, everything

load_once = cache(load_scheme)
BANK, CENTRE, COMPLAINTS = map(load_once, ("CMM-525-0005", "CMM-525-0006", "CTS-TBSC97-2026"))
PAGE = (ROOT / "docs/scoring-inputs.md").read_text(encoding="utf-8")
CONTRACTS = re.findall(r"```yaml\n(scheme: .*?)```", PAGE, re.DOTALL)


def load(tmp_path, text, scheme=BANK):
    path = tmp_path / "inputs.yaml"
    path.write_text(text, encoding="utf-8")
    return load_inputs(path, scheme)


def of_indicator(tmp_path, entry, id_="A.SE.1", block="indicators", more=""):
    return load(tmp_path, f"scheme: {BANK.id}\n{block}:\n  {id_}: {entry}\n{more}").inputs


def refusal(tmp_path, text, scheme):
    with pytest.raises(InputsError) as wrong:
        load(tmp_path, text, scheme)
    assert wrong.value.exit_code == 2
    return str(wrong.value).removeprefix(f"{tmp_path}/inputs.yaml:")


def test_contract_examples_load(tmp_path):
    first, second = CONTRACTS[:2]
    bank = load(tmp_path, first)
    assert bank.inputs.indicators["A.SE.1"].value == Fraction(912, 1000)
    assert bank.inputs.indicators["A.SE.1"].file == "acd.csv"
    assert bank.inputs.indicators["A.SE.3"].value == Fraction(62, 10)
    assert bank.inputs.indicators["A.SQ.3"].at == date(2026, 11, 20)
    assert bank.inputs.boost["A.IN.1"].score == 50
    assert set(bank.inputs.given()) == {"A.SE.1", "A.SE.3", "A.SQ.3", "A.IN.1"}
    assert bank.readings["star.reading"] == "A"
    assert bank.sha256 == hashlib.sha256((tmp_path / "inputs.yaml").read_bytes()).hexdigest()
    complaints = load(tmp_path, second, COMPLAINTS).inputs
    assert complaints.occasions[0].alpha == {"C.1.1": Fraction(85, 100), "C.1.2": Fraction(80, 100)}
    assert complaints.maturity == {"1.1": 3, "1.2": 4}
    assert complaints.gate == "passed"


def test_every_example_on_the_page_loads(tmp_path):
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        id_ = re.search(r"^scheme: (\S+)", example, re.MULTILINE)[1]
        load(tmp_path, example, load_scheme(id_))


def test_every_field_of_the_models_is_on_the_page():
    models = [one for one in vars(inputs_model).values() if isinstance(one, type) and issubclass(one, BaseModel)]
    fields = {field for model in models if model.__module__ == inputs_model.__name__ for field in model.model_fields}
    assert len(fields) > 35
    assert sorted(field for field in fields if f"`{field}`" not in PAGE) == []
    assert sorted(source for source in inputs_model.Source.__args__ if f"`{source}`" not in PAGE) == []


@pytest.mark.parametrize(
    ("written", "meant"),
    {
        "0.912": Fraction(912, 1000),
        "1": Fraction(1),
        "0": Fraction(0),
        ".5": Fraction(1, 2),
        "9.12e-1": Fraction(912, 1000),
        '"0.912"': Fraction(912, 1000),
        "456/500": Fraction(912, 1000),
        "2/3": Fraction(2, 3),
        "0.123456789012345": Fraction(123456789012345, 10**15),
        '"0.89999999999999999999"': Fraction(89999999999999999999, 10**20),
    }.items(),
)
def test_numbers_are_exact(tmp_path, written, meant):
    assert of_indicator(tmp_path, f"{{value: {written}}}").indicators["A.SE.1"].value == meant


@given(st.integers(0, 10**15), st.integers(0, 15))
def test_any_decimal_of_fifteen_digits_is_exact(digits, places):
    text = f"{digits // 10**places}.{digits % 10**places:0{max(places, 1)}d}"
    assert inputs_model.number(float(text) if len(text.replace(".", "").lstrip("0")) <= 15 else text) == Fraction(text)


def test_weeks_and_a_bare_number_are_both_samples(tmp_path):
    entry = "{factors: {coverage: {manual: {2026-W30: 320, 2026-W53: 340}, system: 0.25}, frequency: {surveys: 1}}}"
    factors = of_indicator(tmp_path, entry, "A.SQ.1").indicators["A.SQ.1"].factors
    assert factors["coverage"] == {"manual": {"2026-W30": 320, "2026-W53": 340}, "system": Fraction(1, 4)}
    assert of_indicator(tmp_path, "{factors: {coverage: {manual: 330}}}", "A.SQ.1").indicators["A.SQ.1"].factors == {
        "coverage": {"manual": 330}
    }


def test_who_and_when_keep_their_spelling(tmp_path):
    entry = of_indicator(tmp_path, "{score: 5, by: 007, at: 2026-11-20 09:30}").indicators["A.SE.1"]
    assert (entry.by, entry.at) == ("007", datetime.fromisoformat("2026-11-20T09:30"))


@pytest.mark.parametrize(
    "blank", ["", " {}", " {value: , n: , source: }", " {months: {2026-08: }, factors: {x: {y: }}}"]
)
def test_blanks_count_as_not_there(tmp_path, blank):
    assert of_indicator(tmp_path, blank) == Inputs(scheme=BANK.id)


def test_blank_occasions_and_waivers_at_the_end_count_as_not_there(tmp_path):
    blanks = "occasions: [{id: , rater: , alpha: {C.1.1: }}, ]\nwaived: [{item: , reason: }]\n"
    text = f"scheme: {COMPLAINTS.id}\n{blanks}"
    assert load(tmp_path, text, COMPLAINTS).inputs == Inputs(scheme=COMPLAINTS.id)


def test_levels_of_the_scale_stand_for_alpha_only_with_their_switch(tmp_path):
    text = f"scheme: {COMPLAINTS.id}\noccasions: [{{id: o, rater: r, alpha: {{C.1.1: 符合预期}}}}]\n"
    assert "is a level, not a number (T04)" in refusal(tmp_path, text, COMPLAINTS)
    found = load(tmp_path, text + "readings: {alpha.from_likert: midpoint}\n", COMPLAINTS)
    assert found.inputs.occasions[0].alpha == {"C.1.1": "符合预期"}


def test_rows_of_a_missing_sheet_are_the_evaluators_own(tmp_path):
    entry = "{points: {流程: 8}}"
    with pytest.raises(InputsError, match="its score sheet has no row 流程"):
        of_indicator(tmp_path, entry, "A.SQ.3")
    more = "readings: {dtable.override: {A.SQ.3: {流程: 10, 用语: 8}}}"
    assert of_indicator(tmp_path, entry, "A.SQ.3", more=more).indicators["A.SQ.3"].points == {"流程": 8}
    with pytest.raises(InputsError, match=r"流程: 11 is more than its 10 points \(write 0 to 10\)"):
        of_indicator(tmp_path, "{points: {流程: 11}}", "A.SQ.3", more=more)


def test_factors_may_be_borrowed_with_their_switch(tmp_path):
    text = f"scheme: {CENTRE.id}\nindicators: {{B.CS.1: {{factors: {{coverage: {{system: 0.2}}}}}}}}\n"
    assert "B.CS.1 has no factor coverage (set coverage.borrow_0005: true in readings: to borrow it)" in refusal(
        tmp_path, text, CENTRE
    )
    load(tmp_path, text + "readings: {coverage.borrow_0005: true}\n", CENTRE)


MISTAKES = []
for _block in (ROOT / "tests/inputs_mistakes.txt").read_text(encoding="utf-8").split("## ")[1:]:
    _head, *_lines = _block.strip().splitlines()
    MISTAKES += [(_head, written, said.strip()) for written, said in zip(_lines[::2], _lines[1::2], strict=True)]


@pytest.mark.parametrize(("where", "written", "said"), MISTAKES)
def test_mistakes_name_their_place_and_their_cure(tmp_path, where, written, said):
    scheme, block, id_ = (*where.split(), "", "")[:3]
    body = f"{block}\n  {id_}: {written}" if block else written
    assert refusal(tmp_path, f"scheme: {scheme}\n{body}\n", load_once(scheme)) == said
    assert re.search(r"\(.+\)$|; .+$|must be|is written|lies between|a level is", said), "no cure"


def test_numeric_requirements_are_held_against_their_unit(tmp_path):
    share = next(one for one in CENTRE.requirements if one.unit == "share")
    points = next(one for one in CENTRE.requirements if one.unit == "points")
    text = f"scheme: {CENTRE.id}\nrequirements:\n  {share.id}: {{value: 99}}\n"
    assert f"{share.id}: 99 is more than 1 (a ratio lies between 0 and 1: write 0.99)" in refusal(
        tmp_path, text, CENTRE
    )
    text = f"scheme: {CENTRE.id}\nrequirements:\n  {points.id}: {{value: 101}}\n"
    assert f"{points.id}: 101 is more than 100 (a score lies between 0 and 100)" in refusal(tmp_path, text, CENTRE)
    load(
        tmp_path,
        f"scheme: {CENTRE.id}\nrequirements: {{{share.id}: {{value: 0.999}}, {points.id}: {{met: false}}}}\n",
        CENTRE,
    )


def test_every_item_waived_leaves_nothing_to_score(tmp_path):
    waived = ", ".join(f"{{item: {indicator.id}, reason: x}}" for _, indicator in COMPLAINTS.indicators())
    text = f"scheme: {COMPLAINTS.id}\nwaived: [{waived}]\n"
    assert refusal(tmp_path, text, COMPLAINTS) == (
        "2:9: every item is waived, nothing is left to score (waive only what does not apply)"
    )


def test_a_rated_item_is_not_waived(tmp_path):
    text = (
        f"scheme: {COMPLAINTS.id}\noccasions: [{{id: o, rater: r, alpha: {{C.1.1: 1}}}}]\n"
        "waived: [{item: C.1.1, reason: x}]\n"
    )
    assert refusal(tmp_path, text, COMPLAINTS) == "3:17: C.1.1 is waived, yet it was rated (remove one of the two)"


def test_inputs_of_another_scheme_are_refused(tmp_path):
    assert refusal(tmp_path, f"format: 1\nscheme: {BANK.id}\n", CENTRE) == (
        f"2:9: these are inputs of {BANK.id}, not of {CENTRE.id} (--scheme {BANK.id})"
    )
    assert refusal(tmp_path, "format: 1\n", CENTRE) == "1:1: key 'scheme' is missing (add 'scheme: ...')"


def test_files_that_are_no_inputs(tmp_path):
    for name, said in (
        ("gone.yaml", "there is no such file (check the path)"),
        ("a.csv", "inputs are YAML or an .xlsx workbook, not .csv (save it as .xlsx)"),
        ("a.xls", "inputs are YAML or an .xlsx workbook, not .xls (save it as .xlsx)"),
    ):
        with pytest.raises(InputsError) as wrong:
            load_inputs(tmp_path / name, BANK)
        assert str(wrong.value) == f"{tmp_path / name}: {said}"


def test_without_a_file_the_sentence_stands_alone():
    with pytest.raises(InputsError) as wrong:
        check(Inputs.model_validate({"scheme": BANK.id, "indicators": {"A.SE.1": {"value": 91}}}), BANK)
    assert str(wrong.value) == "A.SE.1: 91 is more than 1 (a ratio lies between 0 and 1: write 0.91)"
    assert check(Inputs(scheme=BANK.id), BANK, Places()).file is None


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12),
    st.sampled_from(["91%", "2026-08", "2026-W30", "A.SE.1", "符合预期", "1/0", "1e99999", "-0", "0x1F", "２"]),
)  # fmt: skip
DATA = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=6), inner, max_size=3)),
    max_leaves=8,
)


def few(data):
    """The first three of everything."""
    if isinstance(data, dict):
        return {key: few(value) for key, value in list(data.items())[:3]}
    return [few(value) for value in data] if isinstance(data, list) else data


SMALL = {
    scheme.id: {key: few(value) for key, value in everything(scheme).items()} | {"scheme": scheme.id}
    for scheme in map(load_once, schemes())
}


def survives(path, text, scheme):
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with contextlib.suppress(InputError):
        load_inputs(path, scheme)


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_worse_than_refused(tmp_path, text):
    survives(tmp_path / "a.yaml", text, BANK)
    survives(tmp_path / "a.yaml", f"scheme: {BANK.id}\nindicators: {{A.SE.1: {{value: {text}}}}}\n", BANK)


@pytest.mark.parametrize("id_", schemes())
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_anywhere_is_worse_than_refused(tmp_path, id_, data):
    whole = copy.deepcopy(SMALL[id_])
    node = whole
    while True:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], (dict, list)) or not node[key] or data.draw(st.integers(0, 3)) == 0:
            break
        node = node[key]
    node[key] = data.draw(DATA)
    if isinstance(node, dict) and data.draw(st.booleans()):
        node[data.draw(st.text(max_size=8))] = data.draw(DATA)
    survives(tmp_path / "a.yaml", as_yaml(whole), load_once(id_))
