"""Every kind of mistake in a YAML file, one file each in tests/bad, with the exact words the user reads."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from pydantic import BaseModel

from scenarios.errors import PlanError, ScenarioError
from scenarios.model import Scenario, Strict
from scenarios.yaml_file import MAX_BYTES, load, load_many, load_with_hash, sha256

HERE = Path(__file__).parent
GOOD = HERE / "good_scenario.yaml"
BAD = HERE / "bad"

MESSAGES: dict[str, list[str]] = {}
for _line in (BAD / "messages.txt").read_text(encoding="utf-8").splitlines():
    MESSAGES.setdefault(_line.split(".yaml", 1)[0], []).append(_line)


class Anything(BaseModel):
    """Keeps what the loader made of each scalar."""

    model_config = {"extra": "allow"}


def read(tmp_path: Path, text: str) -> dict[str, object]:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return dict(load(path, Anything).model_extra or {})


def test_every_bad_file_has_its_message():
    assert {path.stem for path in BAD.glob("*.yaml")} == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_message_names_place_and_cure(name):
    path = BAD / f"{name}.yaml"
    good, problems = load_many([path], Scenario)
    assert good == []
    assert [str(problem) for problem in problems] == [f"{BAD}/{message}" for message in MESSAGES[name]]
    with pytest.raises(ScenarioError) as first:
        load(path, Scenario)
    assert str(first.value) == str(problems[0])


def test_one_bad_file_hides_neither_good_ones_nor_further_mistakes():
    good, problems = load_many([BAD / "tab.yaml", GOOD, BAD / "unknown_key_deep.yaml"], Scenario)
    assert [loaded.path for loaded in good] == [GOOD]
    assert [(problem.line, problem.column) for problem in problems] == [(12, 1), (17, 26), (17, 12)]


def test_digits_keep_their_spelling(tmp_path):
    assert load(GOOD, Scenario).steps[0].dtmf == "012"
    for written, meant in {"0": "0", "007": "007", '"12#"': "12#", "'*9'": "*9", "1*2": "1*2"}.items():
        path = tmp_path / "a.yaml"
        path.write_text(GOOD.read_text(encoding="utf-8").replace("dtmf: 012", f"dtmf: {written}"), encoding="utf-8")
        assert load(path, Scenario).steps[0].dtmf == meant


def test_a_step_may_leave_out_the_empty_braces(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(GOOD.read_text(encoding="utf-8").replace("human: {}", "human:"), encoding="utf-8")
    assert load(path, Scenario) == load(GOOD, Scenario)


def test_yaml_1_2_scalars(tmp_path):
    read_as = {
        "no": "no", "on": "on", "yes": "yes", "012": 12, "0o14": "0o14", "0x1F": "0x1F", "1_000": "1_000",
        "12:30": "12:30",
        "true": True, "FALSE": False, "~": None, "null": None, "1.5": 1.5, "-3": -3, "2026-01-31": "2026-01-31",
        '"1"': "1", ".5": 0.5, "1e3": 1000.0, "=": "=", "<<": "<<", "９": "９",
    }  # fmt: skip
    found = read(tmp_path, "".join(f"k{n}: {written}\n" for n, written in enumerate(read_as)))
    assert list(found.values()) == list(read_as.values())
    assert [type(value) is bool for value in found.values()] == [type(value) is bool for value in read_as.values()]


def test_merge_key_merges_nothing(tmp_path):
    assert read(tmp_path, "a: {x: 1}\n<<: {y: 2}\n") == {"a": {"x": 1}, "<<": {"y": 2}}


def test_file_problems_are_sentences(tmp_path):
    with pytest.raises(ScenarioError, match=r"gone\.yaml: there is no such file \(check the path\)"):
        load(tmp_path / "gone.yaml", Scenario)
    with pytest.raises(ScenarioError, match="there is no such file"):
        load(tmp_path, Scenario)
    large = tmp_path / "large.yaml"
    large.write_text("#" * (MAX_BYTES + 1))
    with pytest.raises(ScenarioError, match="larger than 1 MB"):
        load(large, Scenario)


def test_error_class_is_the_callers(tmp_path):
    with pytest.raises(PlanError):
        load(tmp_path / "gone.yaml", Scenario, error=PlanError)


def test_hash_is_of_the_bytes(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.read_bytes())
    loaded = load_with_hash(path, Scenario)
    assert loaded.model == load(GOOD, Scenario)
    assert loaded.sha256 == sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest() != sha256(GOOD)


def test_place_of_a_value_or_what_is_around_it():
    loaded = load_with_hash(GOOD, Scenario)
    place = loaded.place("limits", "queue_s")
    assert (place.line, place.column) == (24, 19)
    assert loaded.place("limits", "ring_s") == loaded.place("limits")
    assert loaded.place("nothing").line == 1


def test_unknown_key_inside_mappings_of_models(tmp_path):
    class Item(Strict):
        right: int = 0

    class Nested(Strict):
        items: dict[str, dict[str, Item]]

    path = tmp_path / "a.yaml"
    path.write_text("items: {a: {b: {rihgt: 1}}}\n")
    with pytest.raises(ScenarioError) as wrong:
        load(path, Nested)
    assert str(wrong.value) == f"{path}:1:17: unknown key 'rihgt' (did you mean 'right'? allowed here: right)"
