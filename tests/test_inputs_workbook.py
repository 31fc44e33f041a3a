"""Workbooks of inputs: the same content as YAML, cells that are what they show, and a sentence for every mistake."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from datetime import date, datetime
from fractions import Fraction
from functools import cache

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenarios.errors import InputError, InputsError
from scoring.inputs import Inputs, load_inputs
from scoring.inputs import sheets as layout
from scoring.inputs.template_workbook import template_workbook
from tests.conventions import ROOT
from tests.inputs_material import cell_of
from tests.inputs_workbooks import BANK, COMPLAINTS, TEMPLATES, book_of, load, load_once, refusal


def stored(content, results):
    """The workbook with results stored beside its formulas, as a spreadsheet program does."""
    read, out = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as written:
        for name in read.namelist():
            part = read.read(name)
            for formula, (kind, result) in results.items() if name.startswith("xl/worksheets/") else ():
                old = rf'(<c r="[A-Z]+[0-9]+"[^>]*?)( t="[a-z]+")?(><f>{re.escape(formula)}</f>)<v ?/>'
                part = re.sub(old.encode(), rf'\1 t="{kind}"\3<v>{result}</v>'.encode(), part)
            written.writestr(name, part)
    return out.getvalue()


def test_contract_examples_as_workbooks(tmp_path):
    bank = load(
        tmp_path,
        {
            "得分!C6": 0.912,
            "得分!H6": "系统数据",
            "得分!I6": "acd.csv",
            "得分!C8": 6.2,
            "得分!H8": "system",
            "得分!D4": 82,
            "得分!H4": "文档审查",
            "得分!J4": "r1",
            "得分!K4": date(2026, 11, 20),
            "提升!D2": 50,
        },
    )
    example = re.findall(r"```yaml\n(scheme: .*?)```", (ROOT / "docs/scoring-inputs.md").read_text(), re.DOTALL)
    (tmp_path / "inputs.yaml").write_text(example[0].replace("readings: {star.reading: A}", ""))
    assert bank == load_inputs(tmp_path / "inputs.yaml", BANK).inputs
    assert bank.indicators["A.SE.1"].value == Fraction(912, 1000)
    cells = {"测评!D1": "o1", "测评!D2": "r1", "测评!D5": 0.85, "测评!D6": 0.8, "概况!B9": "通过"}
    book = book_of(COMPLAINTS)
    levels = {"1.1": 3, "1.2": 4}
    cells |= {f"成熟度!{cell_of(book, '成熟度', item, '等级')}": level for item, level in levels.items()}
    (tmp_path / "inputs.yaml").write_text(example[1])
    assert load(tmp_path, cells, COMPLAINTS) == load_inputs(tmp_path / "inputs.yaml", COMPLAINTS).inputs


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        (0.912, Fraction(912, 1000)),
        ((0.912, "0.0%"), Fraction(912, 1000)),
        ("0.912", Fraction(912, 1000)),
        ("456/500", Fraction(912, 1000)),
        ("0.89999999999999999999", Fraction(89999999999999999999, 10**20)),
        (0.7 + 0.2, Fraction(9, 10)),
        (1, Fraction(1)),
        (0, Fraction(0)),
    ],
)
def test_a_cell_counts_as_what_it_shows(tmp_path, cell, meant):
    assert load(tmp_path, {"得分!C6": cell}).indicators["A.SE.1"].value == meant


def test_formulas_count_by_their_stored_result(tmp_path):
    cells = {"得分!C6": "=456/500", "得分!C8": "=A1+1", "附表!A1": "=1/0", "得分!L6": '=IF(1,"",2)'}
    content = io.BytesIO()
    book_of(cells=cells).save(content)
    results = {"456/500": ("n", "0.91200000000000003"), "A1+1": ("n", "6.2"), 'IF(1,"",2)': ("str", "")}
    (tmp_path / "a.xlsx").write_bytes(stored(content.getvalue(), results))
    found = load_inputs(tmp_path / "a.xlsx", BANK).inputs.indicators
    assert (found["A.SE.1"].value, found["A.SE.3"].value, found["A.SE.1"].note) == (
        Fraction(912, 1000), Fraction(62, 10), None,
    )  # fmt: skip
    (tmp_path / "a.xlsx").write_bytes(stored(content.getvalue(), results | {"A1+1": ("e", "#DIV/0!")}))
    with pytest.raises(InputsError, match=r"得分!C8: the formula's result is an error, #DIV/0! \(mend the formula\)"):
        load_inputs(tmp_path / "a.xlsx", BANK)


def test_a_month_that_a_spreadsheet_took_for_a_date(tmp_path):
    book = book_of()
    row = cell_of(book, "月度", "A.SE.1", "单位")[1:]
    cells = {"月度!D1": date(2026, 8, 1), "月度!E1": "2026-09", f"月度!D{row}": 0.9, f"月度!E{row}": (0.8, "0%")}
    assert load(tmp_path, cells).indicators["A.SE.1"].months == {"2026-08": Fraction(9, 10), "2026-09": Fraction(8, 10)}


def test_samples_of_weeks_stand_in_rows_and_rows_may_be_added(tmp_path):
    sheet = book_of()["系数"]
    first = next(row[0].row for row in sheet.iter_rows() if row[2].value == "manual")
    cells = {
        f"系数!D{first}": "2026-W30",
        f"系数!E{first}": 320,
        f"系数!D{first + 1}": "2026-W31",
        f"系数!E{first + 1}": 340,
    }
    cells |= {"系数!A90": "A.SQ.1", "系数!B90": "coverage", "系数!C90": "manual", "系数!D90": "2026-W53", "系数!E90": 1}
    factors = load(tmp_path, cells).indicators["A.SQ.1"].factors
    assert factors == {"coverage": {"manual": {"2026-W30": 320, "2026-W31": 340, "2026-W53": 1}}}


def test_tables_of_readings_stand_in_rows(tmp_path):
    cells = {
        "读法!A90": "dtable.override",
        "读法!B90": "A.SQ.3",
        "读法!C90": "流程",
        "读法!D90": 10,
        "读法!A91": "dtable.override",
        "读法!B91": "A.SQ.3",
        "读法!C91": "用语",
        "读法!D91": 8.5,
        "读法!A92": "score_policy",
        "读法!B92": "A.SE.2",
        "读法!D92": "attainment_linear",
    }
    assert load(tmp_path, cells).readings == {
        "dtable.override": {"A.SQ.3": {"流程": 10, "用语": 8.5}},
        "score_policy": {"A.SE.2": "attainment_linear"},
    }


def test_choices_are_words_or_keys(tmp_path):
    row = cell_of(book_of(), "读法", "coverage.count_probes", "取值")[1:]
    for written in ("是", True, "TRUE"):
        assert load(tmp_path, {f"读法!D{row}": written}).readings == {"coverage.count_probes": True}
    assert load(tmp_path, {f"读法!D{row}": "否"}).readings == {"coverage.count_probes": False}


def test_sheets_of_ones_own_and_empty_ones_are_passed_over(tmp_path):
    book = book_of(cells={"附录一!A1": "anything", "得分!C6": 0.9, "得分!Z6": "beside"})
    book.create_sheet("Sheet1")
    for name in ("说明", "提升", "读法", "要求"):
        del book[name]
    book.save(tmp_path / "a.xlsx")
    meant = Inputs.model_validate({"scheme": BANK.id, "indicators": {"A.SE.1": {"value": "0.9"}}})
    assert load_inputs(tmp_path / "a.xlsx", BANK).inputs == meant


def test_columns_may_stand_in_any_order_and_english_may_go(tmp_path):
    book = book_of()
    del book["得分"]
    sheet = book.create_sheet("得分")
    for row in (
        ("备注", "得分", "编号", "数值", "样本数", "下限", "上限", "来源", "文件", "填写人", "日期", "自用"),
        ("手工", None, "A.SE.1", 0.9, None, None, None, "system", None, 7, "2026-11-20", "x"),
    ):
        sheet.append(row)
    book.save(tmp_path / "a.xlsx")
    entry = {"value": 0.9, "note": "手工", "source": "system", "by": "7", "at": "2026-11-20"}
    meant = Inputs.model_validate({"scheme": BANK.id, "indicators": {"A.SE.1": entry}})
    assert load_inputs(tmp_path / "a.xlsx", BANK).inputs == meant


def test_waived_items_keep_their_cells_in_any_order(tmp_path):
    found = load(tmp_path, {"不适用!C5": "无", "不适用!D5": "组长", "不适用!C4": "缺"}, COMPLAINTS).waived
    assert [(one.item, one.reason, one.by) for one in found] == [("C.1.3", "缺", None), ("C.2.1", "无", "组长")]


def test_sheets_and_headings_are_all_on_the_page():
    page = (ROOT / "docs/scoring-inputs.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| (\S+) \| (.+) \|$", page.partition("## Workbooks")[2], re.MULTILINE))
    assert [name for name in layout.NAMES if name not in rows] == []
    given_ = rows["得分"]
    for table in layout.TABLES:
        text = given_ if table.name == "提升" else rows[table.name]
        read_ = [column.heading.zh for column in (*table.keys, *table.fields)]
        assert [heading for heading in read_ if heading not in text] == [], table.name
    assert [word for word in layout.GENERAL_ROWS if word not in rows["概况"]] == []
    assert [word for word in layout.OCCASION_ROWS if word not in rows["测评"]] == []
    choices = [*layout.SOURCES.values(), *layout.GATES.values(), *layout.METS.values()]
    assert [word for word in choices if word not in page] == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is no .xlsx workbook, or is cut short (save it as .xlsx in a spreadsheet program)"),
        (
            b"scheme: CMM-525-0005\n",
            "the file is no .xlsx workbook, or is cut short (save it as .xlsx in a spreadsheet program)",
        ),
        (
            TEMPLATES[BANK.id][:9000],
            "the file is no .xlsx workbook, or is cut short (save it as .xlsx in a spreadsheet program)",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096),
            "the workbook is encrypted, or is of the old .xls format (save it as .xlsx without a password)",
        ),
        (bytes(10_000_001), "the workbook is larger than 10 MB (check that it is the right file)"),
    ],
)
def test_files_that_are_no_workbook(tmp_path, content, said):
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputsError) as wrong:
        load_inputs(path, BANK)
    assert str(wrong.value) == f"{path}: {said}"


def test_archives_that_are_no_workbook_or_unpack_to_too_much(tmp_path):
    damaged = "the workbook is damaged and cannot be read (open it in a spreadsheet program and save it again as .xlsx)"
    for name, parts, said in (
        ("empty.xlsx", {}, damaged),
        ("other.xlsx", {"word/document.xml": b"<a/>"}, damaged),
        (
            "bomb.xlsx",
            {"xl/workbook.xml": bytes(50_000_001)},
            "the workbook unpacks to over 50 MB (check that it is the right file)",
        ),
    ):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for part, content in parts.items():
                archive.writestr(part, content)
        with pytest.raises(InputsError) as wrong:
            load_inputs(tmp_path / name, BANK)
        assert str(wrong.value) == f"{tmp_path / name}: {said}"
    with pytest.raises(InputsError, match="there is no such file"):
        load_inputs(tmp_path / "gone.xlsx", BANK)


def test_a_stray_cell_far_away_is_told(tmp_path):
    assert refusal(tmp_path, {"得分!A1048576": "x"}) == (
        "得分!A1048576: the sheet is too large (keep to 5000 rows and 500 columns)"
    )


def test_a_size_that_a_file_gives_wrongly_loses_no_cells(tmp_path):
    content = io.BytesIO()
    book_of(cells={"得分!C6": 0.9}).save(content)
    out = io.BytesIO()
    with zipfile.ZipFile(content) as read, zipfile.ZipFile(out, "w") as written:
        for name in read.namelist():
            written.writestr(name, re.sub(rb'<dimension ref="[^"]+"', b'<dimension ref="A1"', read.read(name)))
    (tmp_path / "a.xlsx").write_bytes(out.getvalue())
    assert load_inputs(tmp_path / "a.xlsx", BANK).inputs.indicators["A.SE.1"].value == Fraction(9, 10)


@given(
    st.lists(st.tuples(st.integers(0, len(TEMPLATES[COMPLAINTS.id]) - 1), st.integers(0, 255)), max_size=20), st.data()
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_is_worse_than_refused(tmp_path, changes, data):
    content = bytearray(TEMPLATES[COMPLAINTS.id])
    for place, byte in changes:
        content[place] = byte
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(content))))
    (tmp_path / "a.xlsx").write_bytes(bytes(content[:cut]))
    with contextlib.suppress(InputError):
        load_inputs(tmp_path / "a.xlsx", COMPLAINTS)


# What XML can hold: openpyxl itself refuses control characters.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**18), 10**18), st.floats(allow_nan=False, allow_infinity=False), TEXTS,
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1)), st.times(),  # noqa: DTZ001 - cells have no zone
    st.sampled_from(["91%", "=1+1", "2026-08", "2026-W30", "A.SE.1", "系统数据", "是", "#N/A", "1e999999", "编号"]),
)  # fmt: skip


@given(st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_cell_is_worse_than_refused(tmp_path, data):
    scheme = data.draw(st.sampled_from([BANK, COMPLAINTS]))
    book = openpyxl.Workbook()
    for name in data.draw(
        st.lists(st.sampled_from([layout.GENERAL, *layout.NAMES[2:]]), min_size=1, max_size=2, unique=True)
    ):
        sheet = book.create_sheet(name)
        source = full(scheme.id)
        for row in source[name].iter_rows(max_row=8) if name in source.sheetnames else ():
            sheet.append([cell.value for cell in row])
        for _ in range(data.draw(st.integers(1, 6))):
            cell = sheet.cell(data.draw(st.integers(1, 9)), data.draw(st.integers(1, 12)))
            cell.value = data.draw(VALUES)
            cell.number_format = data.draw(st.sampled_from(["General", "0.0%", "@", "yyyy-mm-dd", 'hh:mm"%"']))
    if layout.GENERAL not in book.sheetnames:
        book.create_sheet(layout.GENERAL).append(["方案", scheme.id])
    book.save(tmp_path / "a.xlsx")
    with contextlib.suppress(InputError):
        load_inputs(tmp_path / "a.xlsx", scheme)


@cache
def full(id_):
    return template_workbook(load_once(id_))
