"""The files to start from load as they are, and as they are they dial nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.authorisation import load_authorisation
from harness.init import write_templates
from harness.plan import expand, load_plan
from harness.policy import check_call, check_chat
from probes.target_file import load_target
from scenarios.catalogue import load, shipped
from scenarios.errors import InputError, PolicyRefused


def test_written_files_load_and_fit_each_other(tmp_path):
    target, plan, authorisation = write_templates(tmp_path / "new" / "audit")
    scenarios = {path.stem: load(path).scenario for path in shipped()}
    assert len(expand(load_plan(plan), load_target(target).target, scenarios)) == 4
    assert load_authorisation(authorisation).authorisation.numbers == ()


@pytest.mark.parametrize("signed", [False, True])
def test_unfilled_they_are_refused(tmp_path, signed):
    target_path, _, path = write_templates(tmp_path)
    if signed:  # signed and in its window, but naming nothing
        text = path.read_text(encoding="utf-8").replace('signed_by: ""', "signed_by: x").replace("to: 2000", "to: 2999")
        path.write_text(text, encoding="utf-8")
    target = load_target(target_path).target
    permission = load_authorisation(path).authorisation
    now = datetime.now(UTC)
    for line in target.lines.values():
        with pytest.raises(PolicyRefused):
            check_call(line.uri, permission, now)
        with pytest.raises(PolicyRefused):
            check_call("sip:95588@trunk.invalid", permission, now)
    for chat in target.chats.values():
        with pytest.raises(PolicyRefused):
            check_chat(chat.url, permission, now)


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "plan.yaml").write_text("mine")
    with pytest.raises(InputError) as refused:
        write_templates(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path / 'plan.yaml'}: the file is there already (choose another folder, or move it away)"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["plan.yaml"]
    assert (tmp_path / "plan.yaml").read_text() == "mine"


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "audit").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_templates(tmp_path / "audit")


def test_every_line_to_fill_in_is_explained_in_both_languages(tmp_path):
    for path in write_templates(tmp_path):
        comments = [line for line in path.read_text(encoding="utf-8").splitlines() if "#" in line]
        text = "\n".join(comments)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in text)
        assert sum(letter.isascii() and letter.isalpha() for letter in text) > 200
