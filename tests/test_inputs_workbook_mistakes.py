"""Every kind of mistake in a workbook of inputs, with the exact words the user reads."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest

from tests.inputs_workbooks import COMPLAINTS, load, refusal

MISTAKES = [
    ({"得分!C6": 91}, "得分!C6: A.SE.1: 91 is more than 1 (a ratio lies between 0 and 1: write 0.91)"),
    ({"得分!C6": "91%"}, "得分!C6: 'indicators.A.SE.1.value': '91%' has a % sign; write a ratio, 0.91"),
    ({"得分!C6": (91.2, "0%")}, "得分!C6: A.SE.1: 91.2 is more than 1 (a ratio lies between 0 and 1: write 0.912)"),
    (
        {"得分!C6": "约0.9"},
        "得分!C6: 'indicators.A.SE.1.value': must be a number, not '约0.9'; write digits, for example 0.912",
    ),
    ({"得分!C6": True}, "得分!C6: 'indicators.A.SE.1.value': must be a number; write digits, for example 0.912"),
    ({"得分!C6": -0.5}, "得分!C6: A.SE.1: -0.5 is negative (check the number)"),
    (
        {"得分!C6": "=1-0.1"},
        (
            "得分!C6: the formula's result is not stored in the file "
            "(open it in a spreadsheet program and save it, or write the number)"
        ),
    ),
    ({"得分!C6": "#N/A"}, "得分!C6: the formula's result is an error, #N/A (mend the formula)"),
    (
        {"得分!C8": time(0, 0, 6)},
        "得分!C8: holds a date or a time of day, not a number (write seconds as a number, 6.2)",
    ),
    (
        {"得分!C8": timedelta(seconds=6)},
        "得分!C8: holds a date or a time of day, not a number (write seconds as a number, 6.2)",
    ),
    ({"得分!C8": (6.2, "0%")}, "得分!C8: shows a percentage, 620%, where no ratio belongs (write 620)"),
    ({"得分!D4": (0.82, "0.00%")}, "得分!D4: shows a percentage, 82%, where no ratio belongs (write 82)"),
    ({"得分!D4": "82%"}, "得分!D4: 'indicators.A.SQ.3.score': '82%' has a % sign; write 82: a score is out of 100"),
    ({"得分!D4": 101}, "得分!D4: 'indicators.A.SQ.3.score': a score lies between 0 and 100, it is 101"),
    ({"得分!C4": 0.8}, "得分!C4: A.SQ.3 has no formula and so no value, a person scores it (write score: 0 to 100)"),
    (
        {"得分!C6": 0.9, "得分!D6": 90},
        "得分!A6: A.SE.1: both a value and a score are given, and the value gives the score (keep one)",
    ),
    ({"得分!E6": 500}, "得分!A6: 'indicators.A.SE.1': nothing is given; write a value or a score"),
    (
        {"得分!C6": 0.9, "得分!F6": 0.91, "得分!G6": 0.95},
        "得分!A6: 'indicators.A.SE.1': the value 0.9 lies outside its interval, 0.91 to 0.95; check the three",
    ),
    (
        {"得分!C6": 0.9, "得分!E6": 500.5},
        "得分!E6: 'indicators.A.SE.1.n' must be a whole number (write digits without quotes)",
    ),
    (
        {"得分!C6": 0.9, "得分!E6": (5, "0%")},
        "得分!E6: shows a percentage, and a whole number belongs here (write digits)",
    ),
    (
        {"得分!C6": 0.9, "得分!H6": "ACD"},
        "得分!H6: must be one of: 系统数据、问卷调查、文档审查、现场观察、人工填写 (it is ACD)",
    ),
    ({"得分!C6": 0.9, "得分!I6": 2.5}, "得分!I6: must be text (format the cell as text and write it again)"),
    (
        {"得分!C6": 0.9, "得分!K6": (46346, "General")},
        "得分!K6: 'indicators.A.SE.1.at': a date is written 2026-11-20, not 46346",
    ),
    ({"得分!A6": "A.SE.9", "得分!C6": 0.9}, "得分!A6: CMM-525-0005 has no indicator A.SE.9 (did you mean A.SE.4?)"),
    ({"得分!A6": None, "得分!C6": 0.9}, "得分!A6: the row does not say of which 编号 it is (fill it in)"),
    (
        {"得分!A40": "A.SE.1", "得分!C40": 0.9, "得分!C6": 0.8},
        "得分!C40: the same is given in 得分!C6 already (keep one of the two)",
    ),
    (
        {"提升!A2": "A.SE.1", "提升!D2": 50},
        "提升!A2: A.SE.1 stands under boost, it belongs under indicators (move it to indicators:)",
    ),
    (
        {"得分!C1": "值"},
        (
            "得分!A1: the heading 数值 is missing in this sheet "
            "(write it in row 1, as 'shopper score inputs-template' does)"
        ),
    ),
    ({"得分!D1": "数值 again"}, "得分!D1: the heading 数值 occurs twice (rename one of the two)"),
    (
        {"得分2!A1": "编号"},
        (
            "there is no sheet 得分2 in a workbook of inputs "
            "(the sheets are 说明、概况、得分、提升、系数、打分表、数量、要求、检查、申请表、"
            "不适用、成熟度、读法、月度、测评; begin the name of a sheet of your own with 附)"
        ),
    ),
    (
        {"概况!B3": None},
        "the workbook does not say of which scheme it is (write CMM-525-0005 beside 方案 in the sheet 概况)",
    ),
    (
        {"概况!B3": "CMM-525-0006"},
        "概况!B3: these are inputs of CMM-525-0006, not of CMM-525-0005 (--scheme CMM-525-0006)",
    ),
    ({"概况!B2": 2}, "概况!B2: 'format' must be one of: 1 (it is '2')"),
    (
        {"概况!B5": date(2026, 8, 1), "概况!B6": date(2026, 7, 1)},
        ("概况!B5: 'period.system': the period ends on 2026-07-01, before it begins on 2026-08-01; swap the two"),
    ),
    ({"概况!B5": date(2026, 8, 1)}, "概况!B5: key 'last' is missing in 'period.system' (add 'last: ...')"),
    ({"概况!B9": "通过"}, "概况!B9: CMM-525-0005 has no gate (remove it)"),
    (
        {"概况!A12": "备注", "概况!B12": "x"},
        (
            "概况!A12: says nothing that is known "
            "(one of: 格式、方案、机构、系统数据起、系统数据止、模拟测试起、模拟测试止、符合性审查)"
        ),
    ),
    (
        {"月度!D1": "2026-8", "月度!D2": 0.9},
        "月度!D2: 'indicators.A.SQ.1.months.2026-8': a month is written 2026-08, not 2026-8",
    ),
    (
        {"月度!D1": "2026-08", "月度!F1": "2026-08"},
        "月度!F1: month 2026-08 stands in 月度!D1 already (keep one of the two)",
    ),
    (
        {"月度!D1": "2026-08", "月度!F1": date(2026, 8, 1)},
        "月度!F1: month 2026-08 stands in 月度!D1 already (keep one of the two)",
    ),
    (
        {"月度!D1": date(2026, 8, 31)},
        "月度!D1: is the day 2026-08-31, not a month (format it as text and write 2026-08)",
    ),
    ({"月度!E2": 0.9}, "月度!E1: the column has no month (write it in row 1: 2026-08)"),
    (
        {"月度!D1": "2026-08", "月度!D2": 90},
        "月度!D2: A.SQ.1, 2026-08: 90 is more than 1 (a ratio lies between 0 and 1: write 0.9)",
    ),
    (
        {"系数!D3": "2025-W53", "系数!E3": 5},
        (
            "系数!E3: 'indicators.A.SQ.1.factors.coverage.manual.2025-W53': "
            "there is no week 2025-W53; check the calendar (ISO 8601)"
        ),
    ),
    ({"系数!D3": "2026-W30"}, "系数!E3: there is no 数值 (fill it in)"),
    (
        {"系数!D3": "2026-W30", "系数!E3": 5, "系数!D4": "2026-W30", "系数!E4": 6},
        ("系数!E4: the same is given in 系数!E3 already (keep one of the two)"),
    ),
    (
        {"系数!D3": "2026-W30", "系数!E3": 5, "系数!E4": 6},
        "系数!E4: the same is given in 系数!A3 already (keep one of the two)",
    ),
    (
        {"系数!E3": 5, "系数!D4": "2026-W30", "系数!E4": 6},
        ("系数!E4: this goes further into what 系数!E3 gives as one value (keep one of the two)"),
    ),
    ({"打分表!C5": (0.5, "0%")}, "打分表!C5: shows a percentage, 50%, where no ratio belongs (write 50)"),
    ({"打分表!C5": 3}, "打分表!C5: 调研质量: 3 is more than its 2 points (write 0 to 2)"),
    (
        {"读法!A90": "star.raeding", "读法!D90": "A"},
        "读法!D90: readings: there is no switch star.raeding (did you mean star.reading?)",
    ),
    (
        {"读法!A90": "star.reading", "读法!D90": "C"},
        ("读法!D90: readings: star.reading is one of: A, B; not C (A by the stars' text, B by the rows of the table)"),
    ),
    (
        {"读法!A90": "score_policy", "读法!C90": "x", "读法!D90": "manual"},
        "读法!B90: is blank, though the cell after it is not (fill it in)",
    ),
    (
        {"读法!A90": "asa.floor_s", "读法!D90": (0.5, "0%")},
        ("读法!D90: shows a percentage, and no ratio belongs here (write a plain number)"),
    ),
]


@pytest.mark.parametrize(("cells", "said"), MISTAKES, ids=lambda value: value if isinstance(value, str) else "")
def test_mistakes_name_their_cell_and_their_cure(tmp_path, cells, said):
    assert refusal(tmp_path, cells) == said


RATED = {"测评!D1": "o1", "测评!D2": "r1", "测评!D5": 0.85}


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            {"测评!D5": 1.2},
            "测评!D5: 'occasions[0].alpha.C.1.1': alpha lies between 0 and 1, it is 1.2; write a number from 0 to 1",
        ),
        ({"测评!D5": "85%"}, "测评!D5: 'occasions[0].alpha.C.1.1': '85%' has a % sign; write a ratio, 0.85"),
        (
            {"测评!D5": "符合预期"},
            (
                "测评!D5: C.1.1: 符合预期 is a level, not a number (T04) "
                "(write alpha, or set alpha.from_likert in readings:)"
            ),
        ),
        ({"测评!D1": None}, "测评!D1: the column has no 测评次 (fill it in)"),
        ({"测评!D2": None}, "测评!D2: the column has no 评价员 (fill it in)"),
        (
            {"测评!D5": None},
            "测评!D1: 'occasions[0]': the occasion rates nothing; write alpha: with one number for each item",
        ),
        ({"测评!E1": "o1", "测评!E2": "r2", "测评!E6": 1}, "测评!E1: occasion o1 occurs twice (give each its own id)"),
        (
            {"测评!E30": 0.5, "测评!E1": "o2", "测评!E2": "r2"},
            "测评!E30: the row does not say of which item it is (write the item's id in column A)",
        ),
        ({"测评!A5": "C.9.9"}, "测评!D5: CTS-TBSC97-2026 has no item C.9.9 (did you mean C.6.3?)"),
        (
            {"测评!A2": "x"},
            (
                "测评!A1: the row 评价员 is missing in this sheet "
                "(write it in column A, as 'shopper score inputs-template' does)"
            ),
        ),
        ({"测评!A6": "评价员"}, "测评!A6: the row 评价员 occurs twice (remove one of the two)"),
        ({"不适用!C4": "不适用"}, None),
        ({"不适用!D4": "组长"}, "不适用!A4: key 'reason' is missing in 'waived[0]' (add 'reason: ...')"),
        ({"不适用!C2": "x"}, "不适用!A2: C.1.1 is waived, yet it was rated (remove one of the two)"),
        ({"成熟度!C2": 6}, "成熟度!C2: 'maturity.1.1': a level is 1, 2, 3, 4 or 5, it is 6"),
        ({"成熟度!C2": "三级"}, "成熟度!C2: 'maturity.1.1' must be a whole number (write digits without quotes)"),
        ({"成熟度!C2": "3"}, None),
        ({"概况!B9": "合格"}, "概况!B9: must be one of: 通过、不通过 (it is 合格)"),
        ({"检查!C2": "部分"}, "检查!C2: must be one of: 是、否 (it is 部分)"),
        ({"检查!C2": 1}, "检查!C2: must be one of: 是、否 (it is 1)"),
        ({"检查!E2": "r1"}, "检查!A2: 'checks.C.K.1.1': nothing is given; write a value, or met: true or false"),
        ({"检查!C2": True}, None),
    ],
)
def test_mistakes_of_occasions_and_levels(tmp_path, cells, said):
    if said is None:
        load(tmp_path, RATED | cells, COMPLAINTS)
    else:
        assert refusal(tmp_path, RATED | cells, COMPLAINTS) == said
