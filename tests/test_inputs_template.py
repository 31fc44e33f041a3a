"""Templates of inputs: they load unfilled, and filled in they say just what was filled in, for every scheme."""

from __future__ import annotations

import re

import openpyxl
import pytest
from typer.testing import CliRunner

from harness.cli import app
from scoring.defects import defects
from scoring.inputs import Inputs, load_inputs, words
from scoring.inputs import sheets as layout
from scoring.inputs.template import template_yaml
from scoring.inputs.template_workbook import template_workbook, template_xlsx
from scoring.scheme import load_scheme, schemes
from tests.inputs_material import as_yaml, cell_of, everything, filled_workbook, filled_yaml, leaves

SCHEMES = [load_scheme(id_) for id_ in schemes()]
of_every_scheme = pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: scheme.id)


def load(tmp_path, scheme, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_inputs(path, scheme).inputs


@of_every_scheme
def test_unfilled_templates_load_and_say_nothing(scheme, tmp_path):
    nothing = Inputs(scheme=scheme.id)
    assert load(tmp_path, scheme, "a.yaml", template_yaml(scheme)) == nothing
    assert load(tmp_path, scheme, "a.xlsx", template_xlsx(scheme)) == nothing


@of_every_scheme
def test_whatever_is_filled_in_comes_back_from_either_form(scheme, tmp_path):
    data = everything(scheme)
    meant = Inputs.model_validate(data)
    assert len(list(leaves(data))) > 100
    assert load(tmp_path, scheme, "plain.yaml", as_yaml(data)) == meant
    assert load(tmp_path, scheme, "filled.yaml", filled_yaml(scheme, data)) == meant
    filled_workbook(scheme, data).save(tmp_path / "filled.xlsx")
    assert load_inputs(tmp_path / "filled.xlsx", scheme).inputs == meant


@of_every_scheme
def test_every_field_of_the_models_is_used_somewhere(scheme):
    data = everything(scheme)
    expected = {"occasions", "waived"} if scheme.composite.method == "occasions" else {"indicators"}
    assert expected <= set(data)
    assert {"maturity", "gate"} <= set(data) if scheme.stars else "gate" not in data


def test_the_four_schemes_together_use_every_block():
    used = {key for scheme in SCHEMES for key in everything(scheme)}
    assert used == set(Inputs.model_fields)


@of_every_scheme
def test_yaml_tells_what_each_thing_is(scheme):
    text = template_yaml(scheme)
    for _, indicator in scheme.indicators():
        about = text[: re.search(rf"^ +{re.escape(indicator.id)}:", text, re.MULTILINE).start()]
        about = about[about.rindex(f"# {indicator.id} ") :]
        for word in (indicator.name.zh, indicator.name.en, *indicator.clauses, words.probe(indicator)):
            assert word in about, (indicator.id, word)
        if indicator.formula:
            assert words.both(indicator.formula) in about
    mine = [defects()[code] for code in dict.fromkeys(caveat.code for caveat in scheme.defects)]
    switches = {switch.key: switch for defect in mine for switch in defect.switches}
    assert list(words.switches_of(scheme)) == list(switches)
    for key, switch in switches.items():
        codes = [defect.code for defect in mine if switch in defect.switches]
        about, line = re.search(rf"^(  # .*)\n(  {re.escape(key)}:.*)$", text, re.MULTILINE).groups()
        assert all(code in about for code in codes)
        assert words.default(switch) in line
        assert all(choice in line for choice in switch.choices)
    assert max(map(len, text.splitlines())) < 250


@of_every_scheme
def test_workbook_is_readable_and_offers_choices(scheme, tmp_path):
    (tmp_path / "a.xlsx").write_bytes(template_xlsx(scheme))
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames[:2] == [layout.NOTES, layout.GENERAL]
    assert set(book.sheetnames) <= set(layout.NAMES)
    said = [row[0].value for row in book[layout.NOTES].iter_rows()]
    assert [name for name in book.sheetnames[1:] if name not in said] == []
    for sheet in book:
        assert all(4 < size.width <= 120 for size in sheet.column_dimensions.values()), sheet.title
    sheet = book[layout.READINGS.name]
    lists = {rule.formula1: str(rule.sqref) for rule in sheet.data_validations.dataValidation}
    for key, (switch, _) in words.switches_of(scheme).items():
        row = next(row for row in sheet.iter_rows(min_row=2) if row[0].value == key)
        assert row[4].value == words.default(switch)
        if switch.choices:
            cell = cell_of(book, sheet.title, key, "取值")
            ranges = next(cells for formula, cells in lists.items() if formula.strip('"') == ",".join(switch.choices))
            assert any(
                row[3].coordinate in area for area in openpyxl.worksheet.cell_range.MultiCellRange(ranges).ranges
            ), cell


def test_cells_that_do_not_apply_are_grey():
    book = template_workbook(load_scheme("CMM-525-0005"))
    sheet = book["得分"]
    value = {id_: sheet[cell_of(book, "得分", id_, "数值")].fill.fgColor.rgb for id_ in ("A.SE.1", "A.SQ.3")}
    assert value == {"A.SE.1": "00FFF9E5", "A.SQ.3": "00D9D9D9"}
    assert cell_of(book, "得分", "A.SE.2", "数值") == "C7"


def test_command_writes_yaml_to_stdout_and_either_to_a_file(tmp_path):
    run = CliRunner().invoke
    command = ["score", "inputs-template", "--scheme", "CMM-525-0005"]
    shown = run(app, command)
    assert shown.exit_code == 0
    assert shown.stdout == template_yaml(load_scheme("CMM-525-0005"))
    for name, format_ in (("a.yaml", []), ("b.xlsx", []), ("c.xlsx", ["--format", "xlsx"])):
        done = run(app, [*command, *format_, "-o", str(tmp_path / name)])
        assert done.exit_code == 0, done
        assert load_inputs(tmp_path / name, load_scheme("CMM-525-0005")).inputs == Inputs(scheme="CMM-525-0005")


def test_command_overwrites_nothing(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("mine")
    done = CliRunner().invoke(app, ["score", "inputs-template", "--scheme", "CMM-525-0005", "-o", str(path)])
    assert str(done.exception) == f"{path}: the file is there already (choose another name, or move it away)"
    assert path.read_text() == "mine"


def test_command_asks_for_a_scheme_and_a_name_that_fits():
    run = CliRunner().invoke
    assert "inputs-template needs --scheme (one of: CMM-525-0002" in str(
        run(app, ["score", "inputs-template"]).exception
    )
    wrong = run(app, ["score", "inputs-template", "--scheme", "CMM-525-0005", "--format", "xlsx", "-o", "a.yaml"])
    assert str(wrong.exception) == "a.yaml: --format xlsx does not fit its name (rename it, or drop --format)"
