"""The commands: scored, explained, refused."""

import hashlib
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from results.observe import table
from results.run_folder import RunFolder, RunInfo
from tests.session_factory import START, a_run
from tests.shopper import shopper

INPUTS = """
scheme: CMM-525-0005
indicators:
  A.SE.1: {value: 0.912, source: system, file: acd.csv}
  A.SE.3: {value: 6.2, source: system}
  A.SQ.3: {score: 82, source: documents, by: r1, at: 2026-11-20}
boost: {A.IN.1: {score: 50}}
readings: {star.reading: A}
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("inputs") / "inputs.yaml"
    path.write_text(INPUTS, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = RunFolder.create(tmp_path_factory.mktemp("runs"), "r1")
    sessions = a_run()
    folder.write_info(RunInfo(id="r1", created_utc=START, planned=len(sessions)))
    folder.write_observations(table(sessions))
    return folder.path


def test_json_of_inputs_and_run_together(inputs, run):
    done = shopper("score", "--scheme", "CMM-525-0005", "--inputs", inputs, "--run", run, "--format", "json")
    assert done.code == 0, done.err
    found = {one["id"]: one for one in done.document["indicators"]}
    assert (found["A.SE.1"]["status"], found["A.SE.1"]["value"], found["A.SE.1"]["score"]) == ("imported", 0.912, 100)
    assert found["A.SE.1"]["probe"]["n"] > 0
    assert (found["A.SE.2"]["status"], found["A.SE.2"]["score"]) == ("measured", None)
    assert found["A.SM.1"]["status"] == "missing"
    composite = done.document["composite"]
    assert composite["literal"] is None
    assert composite["low"] == pytest.approx(15 + 6.4 + 8.2 + 1.5)
    assert composite["literal_max"] == 163


def test_a_scorecard_says_which_run_and_which_file_it_was_made_of(inputs, run, tmp_path):
    rows = hashlib.sha256((run / "observations.csv").read_bytes()).hexdigest()
    asked = ("score", "--scheme", "cmm-525-0005", "--inputs", inputs, "--run", run)
    document = shopper(*asked, "--format", "json").document
    assert document["scheme"] == "CMM-525-0005"
    assert document["inputs"]["sha256"] == hashlib.sha256(inputs.read_bytes()).hexdigest()
    assert document["run"] == {
        "id": "r1", "sessions": len(a_run()), "observations_sha256": rows, "plan_sha256": None, "target_sha256": None,
        "hearing": None,
    }  # fmt: skip
    assert f"r1 (n={len(a_run())}): observations.csv sha256 {rows}" in shopper(*asked).out
    book = tmp_path / "card.xlsx"
    assert shopper(*asked, "--format", "xlsx", "-o", book).code == 0
    facts = {row[0].value: row[1].value for row in load_workbook(book)["说明"].iter_rows(max_col=2)}
    assert (facts["模拟测试"], facts["拨测结果表 SHA-256"]) == (f"r1（{len(a_run())}次）", rows)


def test_the_probe_is_the_record_when_the_readings_say_so(inputs, run, tmp_path):
    switched = tmp_path / "switched.yaml"
    switched.write_text(INPUTS.replace("star.reading: A", "source_of_record: probe"), encoding="utf-8")
    found = [
        {one["id"]: one for one in shopper("score", "--scheme", "CMM-525-0005", "--inputs", path, "--run", run,
                                           "--format", "json").document["indicators"]}
        for path in (inputs, switched)
    ]  # fmt: skip
    assert [each["A.SE.1"]["status"] for each in found] == ["imported", "measured"]
    assert found[1]["A.SE.1"]["value"] == found[0]["A.SE.1"]["probe"]["value"]


@pytest.mark.parametrize("scheme", ["CMM-525-0002", "CMM-525-0005", "CMM-525-0006", "CTS-TBSC97-2026"])
def test_each_scheme_of_a_run_in_both_languages(scheme, run):
    for lang, word in (("zh", "综合评价得分"), ("en", "Composite")):
        done = shopper("score", "--scheme", scheme, "--run", run, "--lang", lang)
        assert done.code == 0, done.err
        assert word in done.out
        assert "依据有效认证规则" not in done.out


def test_the_workbook_and_the_template_are_written(inputs, tmp_path):
    book = tmp_path / "sheets.xlsx"
    done = shopper("score", "--scheme", "CMM-525-0005", "--inputs", inputs, "--format", "xlsx", "-o", book)
    assert (done.code, done.out.strip()) == (0, str(book))
    assert len(load_workbook(book).sheetnames) > 16
    template = tmp_path / "template.yaml"
    assert shopper("score", "inputs-template", "--scheme", "CMM-525-0006", "-o", template).code == 0
    done = shopper("score", "--scheme", "CMM-525-0006", "--inputs", template, "--format", "json")
    assert done.document["composite"]["high"] == 203


def test_an_indicator_is_explained_by_its_sessions(run, inputs):
    done = shopper("explain", "A.SE.1", "--run", run, "--json")
    assert done.code == 0, done.err
    entered, left = done.document["entered"], done.document["left_out"]
    scored = shopper("score", "--scheme", "CMM-525-0005", "--run", run, "--format", "json").document["indicators"]
    line = next(one for one in scored if one["id"] == "A.SE.1")
    k, n = sum(one["k"] for one in entered), sum(one["n"] for one in entered)
    assert (n, k / n) == (line["n"], line["value"])
    assert 0 < k < n
    attempts = [one["attempt"] for one in entered] + [id_ for reason in left for id_ in reason["attempts"]]
    assert sorted(attempts) == sorted(RunFolder.open(run).read_observations()["attempt"])
    shown = shopper("explain", "A.SE.1", "--run", run, "--inputs", inputs)
    for text in ("10.1.1", "人工接听量", f"{k} / {n}", "模拟测试值", "acd.csv", "X05", "未计入"):
        assert text in shown.out
    assert "指标“平均应答速度”" not in shown.out, "warnings of other indicators are not shown"


def test_the_name_says_the_format_and_the_inputs_their_scheme(inputs, tmp_path):
    book = tmp_path / "sheets.xlsx"
    assert shopper("score", "--inputs", inputs, "-o", book).code == 0
    assert "汇总" in load_workbook(book).sheetnames
    done = shopper("score", "--inputs", inputs, "--format", "json", "-o", book)
    assert (done.code, "does not fit its name" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("score",), "nothing to score"),
        (("score", "--scheme", "CMM-525-0009"), "there is no scheme"),
        (("score", "--scheme", "CMM-525-0005"), "nothing to score"),
        (("explain", "A.SE.9", "--run", "x"), "no scheme has an indicator A.SE.9"),
        (("explain", "A.SE.1"), "nothing to score"),
        (("score", "inputs-template"), "needs --scheme"),
    ],
)
def test_refused_in_a_sentence(arguments, says):
    done = shopper(*arguments)
    assert done.code == 2
    assert says in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_same_input_same_bytes(inputs, run):
    twice = [
        shopper("score", "--scheme", "CMM-525-0005", "--inputs", inputs, "--run", run, "--format", "json").out
        for _ in range(2)
    ]
    assert twice[0] == twice[1]
    assert json.loads(twice[0])["format"] == 1
