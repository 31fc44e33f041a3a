"""Score sheets: read by openpyxl, computed by an engine of its own, compared with the scorecard's exact totals."""

import io
import re
import zipfile

import openpyxl
import pytest

from results.score_sheets import score_sheets, write_score_sheets
from results.score_sheets.certification import NO_PASS, STARS
from scoring.inputs import Inputs, check
from scoring.levels import rounded
from scoring.scheme import Scheme, load_scheme
from scoring.scorer import score
from tests import test_hand_worked_0002 as intelligent
from tests import test_hand_worked_0005 as bank
from tests import test_hand_worked_0006 as call
from tests import test_hand_worked_tbsc97 as complaint
from tests.scored_inputs import TODAY, card, load, scores
from tests.spreadsheet import Sheets, same

CASES = {
    "bank": (bank.ID, bank.ONE),
    "bank-half": (
        bank.ID,
        {
            "indicators": {
                "A.SQ.1": {"value": "0.8", "n": 400, "source": "survey", "points": {"调研质量": 2}},
                "A.SE.1": {"value": "0.912", "source": "system"},
                **scores({"A.SQ.2": 88, "A.CH.3": "0.5"}),
            },
            "boost": scores({"A.IN.1": 50}),
        },
    ),
    "bank-switched": (  # the product of 9.2.2 instead of D.1.1, and one indicator moved to the boost
        bank.ID,
        {
            **bank.ONE,
            "readings": {"special_satisfaction.as_boost": True, "satisfaction.mode": "multiplicative"},
        },
    ),
    "call": (call.ID, call.ONE),
    "call-half": (
        call.ID,
        {**call.TWO, "readings": {"dtable.scale": "as_is", "composite.include_boost": "no"}},
    ),
    "intelligent": (intelligent.ID, intelligent.ONE),
    "intelligent-half": (intelligent.ID, {"indicators": scores({"D.S.1.1": "66.6", "D.C.4.2": 80, "D.M.1.1": 0})}),
    "complaint": (complaint.ID, complaint.ONE),
    "complaint-waived": (complaint.ID, complaint.two(complaint.TWO_ALPHA, waived=complaint.WAIVED)),
    "complaint-nothing": (complaint.ID, {}),
}
POOLED = {**complaint.ONE, "readings": {"mean.order": "pooled"}}
SQ1 = "D.1.1 整体满意度"


def blocks(name):
    return CASES[name][1]


def made(folder, scheme, **given):
    found = card(scheme, **given)
    return found, Sheets(write_score_sheets(found, load(scheme), folder / "sheets.xlsx"))


def totals(sheets, value=None):
    """What 汇总 says: name to (value, low, high), computed by the engine."""
    look = value or sheets.computed
    return {
        name: tuple(look("汇总", f"{column}{row}") for column in "HIJ")
        for row in range(4, sheets["汇总"].max_row + 1)
        if (name := sheets["汇总"][f"B{row}"].value) and sheets["汇总"][f"H{row}"].data_type == "f"
    }


def agree(found, sheets):
    """Every total of the workbook against the scorecard's."""
    said = totals(sheets)
    names = {one.id: f"{one.name.zh}{'（提升）' if one.boost else ''} 小计" for one in found.composite.dimensions}
    expected = {names[one.id]: one for one in found.composite.dimensions}
    if found.scheme == complaint.ID:
        expected["服务特性测评得分"] = found.composite.literal
    else:
        expected |= {
            "基础指标合计": found.composite.base,
            "提升指标合计": found.composite.boost,
            "综合评价得分（原值）": found.composite.literal,
            "综合评价得分（归一化）": found.composite.normalised,
        }
    for name, range_ in expected.items():
        exact = (None if range_.value is None else float(range_.value), float(range_.low), float(range_.high))
        assert said[name] == pytest.approx(exact, abs=1e-9), name
    return said


class Whole:
    """The workbooks of the cases, each made when it is first asked for."""

    def __init__(self, folder):
        self._folder, self._made = folder, {}

    def __getitem__(self, name):
        if name not in self._made:
            scheme, given = CASES[name]
            (self._folder / name).mkdir()
            self._made[name] = made(self._folder / name, scheme, **given)
        return self._made[name]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return Whole(tmp_path_factory.mktemp("sheets"))


@pytest.mark.parametrize("name", CASES)
def test_an_engine_finds_what_the_file_carries_and_what_the_scorer_says(whole, name):
    found, sheets = whole[name]
    agree(found, sheets)
    places = sheets.formulas()
    assert len(places) > 150
    wrong = [at for at in places if not same(sheets.saved[at[0]][at[1]].value, sheets.computed(*at))]
    assert wrong == []


def test_a_changed_score_moves_its_own_totals_and_no_other(whole, tmp_path):
    _, sheets = whole["bank"]
    edited = sheets.changed(tmp_path / "edited.xlsx", **{f"{SQ1}!D4": 15})  # 15 of 20 instead of 18.4
    before, after = totals(sheets), totals(edited)
    moved = {name for name in before if before[name] != after[name]}
    # the indicator, its dimension, the base, the literal sum and the normalised one; no other dimension, no boost
    assert moved == {"整体满意度", "服务质量 小计", "基础指标合计", "综合评价得分（原值）", "综合评价得分（归一化）"}
    # 3.4 of 30 points less is 34/3 of 100, times 20 %: 34/15 less
    for name in moved - {"综合评价得分（归一化）"}:
        assert before[name][0] - after[name][0] == pytest.approx(34 / 15)
    assert before["综合评价得分（归一化）"][0] - after["综合评价得分（归一化）"][0] == pytest.approx(34 / 15 / 1.45)
    agree(card(bank.ID, **with_value("0.75")), edited)  # as if the survey had said so


def with_value(value):
    one = {**blocks("bank")["indicators"]["A.SQ.1"], "value": value}
    return {**blocks("bank"), "indicators": {**blocks("bank")["indicators"], "A.SQ.1": one}}


def without(*ids):
    return {**blocks("bank"), "indicators": {k: v for k, v in blocks("bank")["indicators"].items() if k not in ids}}


def test_a_score_that_is_taken_out_makes_a_range_and_not_a_zero(whole, tmp_path):
    _, sheets = whole["bank"]
    edited = sheets.changed(tmp_path / "edited.xlsx", **{"A.SQ.3 服务规范性!D10": None})
    assert edited["A.SQ.3 服务规范性"]["A10"].value == "直接评分"
    after = agree(card(bank.ID, **without("A.SQ.3")), edited)
    assert after["服务规范性"] == (None, 0, 10)
    assert after["综合评价得分（原值）"][0] is None
    assert after["综合评价得分（原值）"][2] - after["综合评价得分（原值）"][1] == pytest.approx(10)
    row = next(row for row in edited["汇总"].iter_rows() if row[1].value == "综合评价得分（原值）")
    low, high = after["综合评价得分（原值）"][1:]
    assert f"{low:.2f}～{high:.2f}" in edited.computed("汇总", row[11].coordinate)


def test_rows_of_a_missing_table_count_once_their_points_are_typed(whole, tmp_path):
    _, sheets = whole["bank"]
    name = "A.SQ.3 服务规范性"
    points = {f"{name}!C{row}": value for row, value in zip((4, 5, 6, 7), (10, 8, 6, 6), strict=True)}
    got = {f"{name}!D{row}": value for row, value in zip((4, 5, 6), (9, 8, "4.5"), strict=True)}
    got = {cell: float(value) for cell, value in got.items()}
    part = sheets.changed(tmp_path / "part.xlsx", **points, **got, **{f"{name}!D10": None})
    low, high = (part.computed(name, cell) for cell in ("D11", "D12"))
    assert part[name]["A8"].value == "合计"
    assert (part.computed(name, "D8"), part.computed(name, "D9")) == (None, None)
    assert (low, high) == (pytest.approx(21.5 / 0.3), pytest.approx(27.5 / 0.3))


def test_the_sheets_of_0005_are_those_of_annex_d_and_one_for_each_indicator_without_one(whole):
    _, sheets = whole["bank"]
    names = sheets.book.sheetnames
    assert names[:3] == ["说明", "汇总", SQ1]
    assert len(names) == 2 + 16 + 2 + 1 + 2
    assert names[-2:] == ["符合性检查", "服务特性"]
    for sheet in sheets.book.worksheets[2:-3]:
        assert [cell.value for cell in sheet[3]] == ["评价项目", "评价内容", "分值", "得分", "备注"]
        assert sheet.max_column == 5
        assert "合计" in [row[0].value for row in sheet.iter_rows()]
    missing = [name for name in names[2:-1] if "规则缺表" in sheets[name]["A1"].value]
    assert SQ1 not in missing
    assert len(missing) == 15 + 2
    form = [[cell.value for cell in row[:3]] for row in sheets[SQ1]["A4:C7"]]
    assert [(row[0], row[2]) for row in form] == [
        ("整体满意度", 20),
        ("调研覆盖率", 5),
        ("调研频次", 3),
        ("调研质量", 2),
    ]
    assert [cell.value for (cell,) in sheets["A.SQ.3 服务规范性"]["C4:C7"]] == [None] * 4  # the evaluator's to type


def test_missing_tables_of_0002_take_the_weights_as_points(whole):
    _, sheets = whole["intelligent"]
    names = sheets.book.sheetnames
    assert sum(name.startswith("D.") for name in names) == 17
    sheet = sheets["D.2.4 智能应用"]
    assert "规则缺表" in sheet["A1"].value
    assert "Z05" in sheet["A2"].value
    assert [(row[0].value, row[2].value) for row in sheet["A4:C6"]] == [
        ("技术应用能力", 10),
        ("系统性能", 8),
        ("创新能力", 7),
    ]
    assert "规则缺表" not in sheets["D.1.1 战略目标"]["A1"].value
    twice = [cell.value for cell in sheets["汇总"]["B"] if str(cell.value).endswith("技术应用能力")]
    assert twice == ["智能应用 技术应用能力", "技术能力 技术应用能力"]  # Z04


def test_remarks_say_what_stands_behind_a_score(whole):
    _, sheets = whole["bank"]
    row = next(row for row in sheets.rows("汇总") if row[0] == "A.SE.1")
    assert row[4:7] == ["91.2 %", 1, 100]
    assert row[10] == "符合"
    assert row[11].startswith("系统数据（acd.csv）；91.2 %；接通率：符合；策略：满分×折算系数；X05")
    assert "折算系数 0.9" in sheets[SQ1]["E5"].value
    assert sheets["A.SQ.3 服务规范性"]["E9"].value.startswith("人工")
    _, half = whole["bank-half"]
    said = next(row[11] for row in half.rows("汇总") if row[0] == "A.SQ.1")
    assert re.match(r"调查；80\.0 %，n=400，95%区间 [0-9.]+–[0-9.]+ %", said)


def test_probes_are_named_with_n_and_interval(tmp_path):
    from results.observe import table
    from scoring.metrics import compute
    from tests.session_factory import voice

    metrics = compute(table([voice(n, wait=3.0 + n / 100) for n in range(12)]))
    target = {"application": {"接通率": {"target": "0.9", "actual": "0.95"}, "平均应答速度": {"actual": 9}}}
    found, sheets = made(tmp_path, bank.ID, metrics=metrics, **target)
    agree(found, sheets)
    said = next(row[11] for row in sheets.rows("汇总") if row[0] == "A.SE.1")
    assert re.match(
        r"模拟测试；100\.0 %，n=12，95%区间 73\.5–100\.0 %；折算系数不能判定：1\.0/0\.9/0\.8；接通率：不能判定；", said
    )
    rows = {row[0]: row for row in sheets.rows("A.4 对照表")}
    assert [cell.value for cell in sheets["A.4 对照表"][3]] == [
        "指标",
        "目标值",
        "受审核方实际值",
        "模拟测试值（95%CI）",
        "一致性",
    ]
    assert rows["接通率"][1:] == [0.9, 0.95, "100.0 %（73.5–100.0 %），n=12", "一致"]
    assert rows["平均应答速度"][4] == "不一致，需核实"
    assert rows["投诉预防能力"][3] == "未测"
    at = next(cell.row for cell in sheets["A.4 对照表"]["A"] if cell.value == "接通率")
    edited = sheets.changed(tmp_path / "edited.xlsx", **{f"A.4 对照表!C{at}": 0.7})
    assert edited.computed("A.4 对照表", f"E{at}") == "不一致，需核实"


def test_a_verdict_on_a_score_follows_the_score(whole, tmp_path):
    _, sheets = whole["call"]
    rows = {row[0].value: row[0].row for row in sheets["汇总"].iter_rows() if row[0].value}
    verdict = {id_: sheets.computed("汇总", f"K{rows[id_]}") for id_ in ("B.SQ.1", "B.SQ.4", "B.TS.2")}
    assert verdict == {"B.SQ.1": "符合", "B.SQ.4": "不符合", "B.TS.2": "不能判定"}  # 85 of 85; 84.99; in part only
    changes = {"D.1.1 服务规范性!D4": 8.99, "B.SQ.4 服务响应性!D%d": 85}
    direct = next(cell.row for cell in sheets["B.SQ.4 服务响应性"]["A"] if cell.value == "直接评分")
    edited = sheets.changed(
        tmp_path / "edited.xlsx",
        **{place.replace("%d", str(direct)): value for place, value in changes.items()},
    )
    assert edited.computed("汇总", f"K{rows['B.SQ.1']}") == "不符合"
    assert edited.computed("汇总", f"K{rows['B.SQ.4']}") == "符合"
    remarks = [one.computed("D.1.1 服务规范性", "E9") for one in (sheets, edited)]
    assert [said.partition("应达到")[2] for said in remarks] == ["85分以上：符合", "85分以上：不符合"]


def test_the_same_scorecard_gives_the_same_bytes(whole):
    found, sheets = whole["complaint"]
    again = score_sheets(found, load(complaint.ID))
    assert again == sheets.path.read_bytes()
    assert score_sheets(card(complaint.ID, **blocks("complaint")), load_scheme(complaint.ID)) == again
    with zipfile.ZipFile(io.BytesIO(again)) as parts:
        assert {part.date_time for part in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert parts.read("docProps/core.xml").count(b"2026-11-21T00:00:00Z") == 2
    pooled = card(complaint.ID, **POOLED)
    assert score_sheets(pooled, load(complaint.ID)) != again


@pytest.mark.parametrize("name", ["bank", "intelligent-half", "complaint"])
def test_every_sheet_prints_on_a4(whole, name):
    _, sheets = whole[name]
    for sheet in sheets.book:
        assert (sheet.page_setup.paperSize, sheet.page_setup.fitToWidth) == ("9", 1) or (
            int(sheet.page_setup.paperSize) == 9 and int(sheet.page_setup.fitToWidth) == 1
        )
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.page_setup.orientation == ("landscape" if sheet.title == "汇总" else "portrait")
        assert sheet.freeze_panes is not None
        assert sheet.print_title_rows is not None
        assert "&P" in sheet.oddFooter.center.text
        assert {cell.font.name for row in sheet.iter_rows() for cell in row if cell.value is not None} <= {
            "宋体",
            "黑体",
        }
    assert all(row[0].alignment.wrap_text for row in sheets["说明"].iter_rows())


def test_only_tinted_cells_are_for_typing_and_they_refuse_nonsense(whole):
    _, sheets = whole["bank"]
    sheet = sheets[SQ1]
    tinted = [cell.coordinate for row in sheet.iter_rows() for cell in row if cell.fill.start_color.rgb == "00FFF7D6"]
    assert tinted == ["D4", "D5", "D6", "D7", "D10"]
    rules = {str(rule.sqref): rule.formula1 for rule in sheet.data_validations.dataValidation}
    assert rules["D4"] == "AND(ISNUMBER(D4),D4>=0,D4<=C4)"
    assert set(rules) == set(tinted)


def test_the_about_sheet_tells_the_rule_and_its_end_and_vouches_for_nothing(whole):
    found, sheets = whole["bank-switched"]
    facts = {row[0]: row[1] for row in sheets.rows("说明") if row[0]}
    assert facts["认证规则"] == "CMM-525-0005（V1.0）"
    assert facts["标准"] == "GB/T 32312-2015"
    assert facts["日期"] == "2026-11-21"
    assert facts["规则有效期"] == "2025-01-01 至 2025-05-20；至2026-11-21已到期，本结果仅供参考，不得作为有效认证的依据"
    assert facts["satisfaction.mode"] == "multiplicative"
    assert {warning.code for warning in found.warnings} <= set(facts)
    texts = [
        str(value) for sheet in sheets.saved for row in sheet.iter_rows(values_only=True) for value in row if value
    ]
    assert not [text for text in texts if "依据有效认证规则" in text]


def test_what_was_entered_never_becomes_a_formula(tmp_path):
    given = {**blocks("bank"), "organisation": "=1+1\x07 & Co"}
    given["indicators"] = {**given["indicators"], "A.SQ.3": {"score": 82, "by": "=HYPERLINK(1)", "source": "documents"}}
    found, sheets = made(tmp_path, bank.ID, **given)
    assert sheets["说明"]["B3"].data_type == "s"
    assert sheets["说明"]["B3"].value == "=1+1 & Co"
    assert "评价人 =HYPERLINK(1)" in next(row[11] for row in sheets.rows("汇总") if row[0] == "A.SQ.3")
    agree(found, sheets)


def test_a_scheme_without_forms_gets_a_table_for_each_indicator(tmp_path):
    """A fifth scheme: one dimension, no annex D, its 评价内容 in a line."""
    plain = {"policy": "manual", "evidence": ["document"], "probe": "none", "clauses": ["4.1"]}
    scheme = Scheme.model_validate({
        "format": 2, "id": "TINY-1", "key": "T", "standard": "T 1", "title": {"zh": "小", "en": "tiny"}, "edition": "1",
        "valid_from": "2026-01-01", "valid_to": None,
        "composite": {"clause": "5", "formula": {"zh": "和", "en": "sum"}, "add_boost": False},
        "dimensions": [{
            "id": "T.A", "name": {"zh": "甲", "en": "A"}, "clause": "4", "weight": 40,
            "indicators": [
                {"id": "T.A.1", "name": {"zh": "子", "en": "a"}, "weight": 30, "content": "其一；其二", **plain},
                {"id": "T.A.2", "name": {"zh": "丑", "en": "b"}, "weight": 10, **plain},
            ],
        }],
    })  # fmt: skip
    given = check(Inputs.model_validate({"scheme": "TINY-1", "indicators": scores({"T.A.1": 50})}), scheme)
    sheets = Sheets(write_score_sheets(score(None, scheme, given, today=TODAY), scheme, tmp_path / "tiny.xlsx"))
    assert sheets.book.sheetnames == ["说明", "汇总", "T.A.1 子", "T.A.2 丑"]
    assert [row[0].value for row in sheets["T.A.1 子"]["A4:A5"]] == ["其一", "其二"]
    assert totals(sheets)["综合评价得分（原值）"] == (None, 15, 25)


def test_occasions_have_odd_names(tmp_path):
    alpha = complaint.alphas("0.7")
    named = [{"id": id_, "rater": '张"三"', "alpha": alpha} for id_ in ("a/b", "A:B", "很长" * 30, "很长" * 31)]
    found, sheets = made(tmp_path, complaint.ID, occasions=named)
    names = sheets.book.sheetnames
    assert len(names) == len({name.casefold() for name in names})
    assert max(map(len, names)) <= 31
    assert agree(found, sheets)["服务特性测评得分"][0] == pytest.approx(70)


def test_an_occasion_has_the_columns_of_annex_1(whole):
    _, sheets = whole["complaint"]
    sheet = sheets["测评 o1"]
    assert [cell.value for cell in sheet[4]][:6] == [
        "服务特性指标", "服务过程质量指标", "评价内容", "单项分值", "体验系数α", "实际得分",
    ]  # fmt: skip
    assert (sheet["A5"].value, sheet["B5"].value, sheet["D5"].value) == ("1. 功能性/17分", "1.1. 人员/5分", 5)
    assert (sheet["A23"].value, sheet["B23"].value, sheet["D23"].value) == ("7. 服务规范/8分", "制定服务规范/8分", 8)
    assert (sheets.computed("测评 o1", "G6"), sheets.computed("测评 o1", "G7")) == ("符合预期", "远高于预期")
    assert sheets.computed("测评 o1", "F26") == pytest.approx(86)


def test_a_changed_alpha_moves_its_occasion_the_mean_and_the_stars(whole, tmp_path):
    _, sheets = whole["complaint"]
    edited = sheets.changed(
        tmp_path / "edited.xlsx", **{"测评 o3!E6": 0, "测评 o3!E7": 0, "测评 o3!E23": 0, "成熟度!E4": 1}
    )
    given = [dict(one) for one in blocks("complaint")["occasions"]]
    given[2] = {**given[2], "alpha": {**given[2]["alpha"], "C.1.2": 0, "C.1.3": 0, "C.7": 0}}
    maturity = {**blocks("complaint")["maturity"], "1.1": 1}
    expected = card(complaint.ID, occasions=given, maturity=maturity, gate="passed")
    agree(expected, edited)
    assert edited.computed("测评 o1", "F26") == sheets.computed("测评 o1", "F26")
    assert sheets.computed("认证级别", "B26") == "三星级"
    assert expected.stars.stars == 0  # o3 loses 7 + 5 + 6 and is 66.5: (89.1 + 66.5)/2 = 77.8
    assert edited.computed("认证级别", "B26") == "通过，无星级"
    assert edited.computed("成熟度", "F25") == float(expected.maturity.total)


def test_an_item_waived_or_left_open_on_paper(whole, tmp_path):
    _, sheets = whole["complaint-waived"]
    assert sheets.computed("测评 o1", "F26") is None
    assert sheets.computed("测评 o1", "D25") == 85
    assert sheets["测评 o1"]["B18"].value == "5.2. 设备设施/5分"
    edited = sheets.changed(tmp_path / "edited.xlsx", **{"测评 o1!E18": "不适用"})  # C.5.2, which was open
    waived = [*complaint.WAIVED, {"item": "C.5.2", "reason": "无"}]
    agree(card(complaint.ID, **complaint.two(complaint.TWO_ALPHA, waived=waived)), edited)
    assert edited.computed("测评 o1", "F26") == pytest.approx(7080 / 80)


def test_the_mean_in_either_order(whole, tmp_path):
    _, sheets = whole["complaint"]
    edited = sheets.changed(tmp_path / "edited.xlsx", **{"均值!B3": "合并"})
    agree(card(complaint.ID, **POOLED), edited)
    both = {sheets["均值"][f"B{row}"].value: sheets.computed("均值", f"D{row}") for row in range(30, 34)}
    assert both == {
        "口径“先按评价员”": pytest.approx(86.8),
        "口径“合并”": pytest.approx(2627 / 30),
        "评价员 r1 均值": pytest.approx(89.1),
        "评价员 r2 均值": pytest.approx(84.5),
    }


@pytest.mark.parametrize("how", ["不修约", "四舍五入", "舍去小数"])
def test_the_stars_of_both_readings_at_every_edge(whole, how):
    _, sheets = whole["complaint"]
    rule = load(complaint.ID).stars
    assert sheets["认证级别"]["A17"].value == "读法A结果"
    assert sheets["认证级别"]["A24"].value == "读法B结果"
    decide = sheets.function("认证级别", ["B4", "C4", "D4", "B5", "C7", "D7", "B8", "B9"], ["B17", "B24", "B26"])
    names = {None: NO_PASS, 0: "通过，无星级", **STARS}
    modes = {"不修约": "none", "四舍五入": "half_up", "舍去小数": "floor"}
    for number in ("59.5", "60", "79.4", "79.5", "80", "89.5", "90", "94.999", "95"):
        for level in (1, 2, 3, 4) if number in ("60", "90") else (4,):
            said = decide(float(number), float(number), float(number), how, level, level, "通过", "B")
            score = rounded(bank.Fraction(number), modes[how])
            expected = [names[rule.stars(score, level, reading)] for reading in "ABB"]
            assert said == expected, (number, level)


def test_the_gate_decides_before_the_score(whole):
    _, sheets = whole["complaint"]
    decide = sheets.function("认证级别", ["B8", "B9", "C4", "D4"], ["B26"])
    assert decide("不通过", "A", 86.8, 86.8) == ["不通过"]
    assert decide("", "A", 86.8, 86.8) == ["三星级（待审查结论）"]
    assert decide("", "A", 10, 10) == ["不通过"]
    assert decide("通过", "A", 50, 86.8) == ["不通过～三星级"]


def test_maturity_when_all_items_have_one_level(whole):
    _, sheets = whole["complaint-nothing"]
    decide = sheets.function("成熟度", [f"E{row}" for row in range(4, 25)], ["F25", "G25"])
    said = [decide(*[level] * 21) for level in (1, 2, 3, 4, 5)]
    assert said == [[29, "一级"], [58, "二级"], [87, "三级"], [116, "五级"], [145, "五级"]]  # T07
    assert sheets.computed("成熟度", "F25") is None
    assert sheets.computed("成熟度", "G25") == "一级～五级"


def test_programs_calculate_again_on_opening(whole):
    _, sheets = whole["bank"]
    assert sheets.book.calculation.fullCalcOnLoad
    assert sheets.book.properties.creator == "contact-centre-shopper"


def test_a_requirement_that_is_missed_is_in_the_workbook():
    scheme = load_scheme("CMM-525-0006")
    given = {"B.R.10.2.1.3": {"value": 22}, "B.R.10.2.1.2": {"value": 10}}
    data = score_sheets(card(scheme.id, requirements=given), scheme)
    page = openpyxl.load_workbook(io.BytesIO(data))["符合性检查"]
    rows = {row[0].value: [cell.value for cell in row] for row in page.iter_rows(min_row=4)}
    assert (rows["B.R.10.2.1.3"][4], rows["B.R.10.2.1.3"][5]) == (22, "不符合")
    assert rows["B.R.10.2.1.2"][5] == "符合"
    assert rows["B.R.11.2.1.2.1"][5] in (None, "")
    assert len([id_ for id_ in rows if id_ and id_.startswith(("B.R.", "B.K."))]) == len(scheme.requirements) + len(
        scheme.checks
    )
