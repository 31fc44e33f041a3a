"""Scripts that send files, press quick replies, expect to be shown something: how they are read, refused, planned."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness.plan import load_plan
from harness.plan.means import check_means
from probes.speaking.lines import spoken_lines
from probes.target import Target
from probes.target_file import load_target
from scenarios.attachment import MAX_ATTACHMENT
from scenarios.catalogue import SHIPPED, lint, load
from scenarios.errors import HarnessFault, PlanError, ScenarioError
from tests.shopper import shopper

GOOD = Path(__file__).parent / "good_scenario.yaml"
PNG = (SHIPPED / "S25-card.png").read_bytes()
SAY = "      say: {zh: 你们几点开门？, en: When do you open?}\n"
CHAT = ("channels: [voice, chat]", "channels: [chat]"), ("  - dtmf: 012\n    after: menu\n    on: [voice]\n", "")


def script(folder: Path, *changes: tuple[str, str]) -> Path:
    """Writes the good script with changes."""
    text = GOOD.read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "S90.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(folder: Path, *changes: tuple[str, str]) -> list[str]:
    path = script(folder, *changes)
    found = [str(problem).removeprefix(f"{path}:") for problem in lint([path])]
    if found:
        with pytest.raises(ScenarioError) as first:
            load(path)
        assert str(first.value) == f"{path}:{found[0]}"
    return found


def sending(name: str) -> tuple[tuple[str, str], ...]:
    return *CHAT, (SAY, f"{SAY}      attach: {name}\n")


def test_a_file_beside_the_script_is_read_with_it(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "Card.PNG").write_bytes(PNG)
    assert mistakes(tmp_path, *sending("pictures/Card.PNG")) == []
    [(name, file)] = load(tmp_path / "S90.yaml").attachments.items()
    assert (name, file.name, file.media, file.size) == ("pictures/Card.PNG", "Card.PNG", "image/png", len(PNG))
    assert file.content() == PNG
    assert str(tmp_path) not in str(file.about())
    file.path.unlink()
    with pytest.raises(HarnessFault, match=r"the file Card\.PNG cannot be read any more: No such file"):
        file.content()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jpg", b"\xff\xd8\xff\xe0...."),
        ("a.jpeg", b"\xff\xd8\xff\xdb...."),
        ("a.gif", b"GIF89a..."),
        ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 "),
        ("a.pdf", b"%PDF-1.7\n"),
        ("a.txt", "信".encode()),
    ],
)
def test_each_kind_is_told_by_what_it_is(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert mistakes(tmp_path, *sending(name)) == []
    (tmp_path / name).write_bytes(b"MZ\0\xff\xfe")
    [found] = mistakes(tmp_path, *sending(name))
    assert found.endswith("file, whatever its name says (save it in the format of its name)")


def test_a_file_that_cannot_be_sent_is_told_with_its_line_and_cure(tmp_path):
    where = "15:15: "
    inside, outside = tmp_path / "scripts", tmp_path / "secret.png"
    inside.mkdir()
    outside.write_bytes(PNG)
    (inside / "link.png").symlink_to(outside)
    (inside / "empty.png").touch()
    (inside / "folder.png").mkdir()
    (inside / "run.exe").write_bytes(b"MZ")
    (inside / "text.png").write_text("no picture", encoding="utf-8")
    with (inside / "large.png").open("wb") as file:
        file.write(PNG)
        file.truncate(MAX_ATTACHMENT + 1)
    beside = "does not lie beside the script (put it into the script's folder, or one within it)"
    kinds = "(there are: PNG, JPEG, GIF and WebP pictures, PDF and text (.txt) documents)"
    for name, message in {
        "gone.png": "there is no file 'gone.png' (put it beside the script, or check the name)",
        "folder.png": "there is no file 'folder.png' (put it beside the script, or check the name)",
        "../secret.png": f"'../secret.png' {beside}",
        "link.png": f"'link.png' {beside}",
        str(outside): f"'{outside}' {beside}",
        "..\\secret.png": f"'..\\secret.png' {beside}",
        "run.exe": f"'run.exe' is of no kind that can be sent {kinds}",
        "S90.yaml": f"'S90.yaml' is of no kind that can be sent {kinds}",
        "empty.png": "'empty.png' is empty (save it again)",
        "large.png": "'large.png' is larger than 5 MB (make it smaller)",
        "text.png": "'text.png' is no PNG file, whatever its name says (save it in the format of its name)",
    }.items():
        assert mistakes(inside, *sending(f"'{name}'")) == [where + message]


def test_a_file_that_may_not_be_read():
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "a.png").write_bytes(PNG)
        (folder / "a.png").chmod(0)
        who = os.geteuid()
        if who == 0:  # root may read everything: be nobody for a moment
            os.seteuid(65534)
        try:
            found = mistakes(folder, *sending("a.png"))
        finally:
            os.seteuid(who)
    assert found == ["15:15: 'a.png' cannot be read: Permission denied (check its permissions)"]


def test_what_only_a_chat_can_do_is_refused_on_the_telephone(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    cure = "(add on: [chat] to the step)"
    attach = (SAY, f"{SAY}      attach: a.png\n")
    assert mistakes(tmp_path, attach) == [f"18:15: no file can be sent on the telephone {cure}"]
    choose = (SAY, "      choose: {zh: 营业时间, en: Opening hours}\n")
    assert mistakes(tmp_path, choose) == [f"17:15: there are no quick replies on the telephone {cure}"]
    for form, what in (("link", "a link"), ("card", "a card"), ("image", "an image")):
        shown = (
            "name: {zh: 开门时间, en: opening time}",
            f"name: {{zh: 开门时间, en: opening time}}\n    shown_as: {form}",
        )
        assert mistakes(tmp_path, shown) == [
            f"18:15: fact 'opening' is {what}, which nobody can hear on the telephone {cure}"
        ]
        assert mistakes(tmp_path, shown, ("facts: [opening]\n", "facts: [opening]\n    on: [chat]\n")) == []
        assert mistakes(tmp_path, shown, *CHAT) == []


def test_a_script_may_send_a_file_without_words(tmp_path):
    (tmp_path / "a.png").write_bytes(PNG)
    path = script(tmp_path, *CHAT, (SAY, "      attach: a.png\n"))
    assert load(path).scenario.steps[1].ask.say is None
    assert spoken_lines(load(path).scenario, Target(format=1, name="x")) == []


def test_lint_tells_it_on_the_command_line(tmp_path):
    path = script(tmp_path, *sending("gone.png"))
    ran = shopper("scenarios", "lint", str(path))
    assert ran.code == 2
    assert f"{path}:15:15: there is no file 'gone.png' (put it beside the script, or check the name)" in ran.err


# --- the plan --------------------------------------------------------------------------------------------------------

TARGET = """format: 1
name: bank
chats:
  web: {url: "http://127.0.0.1:9/", widget: sandbox}
  other: {url: "http://127.0.0.1:9/o", widget: other.yaml}
"""
PROFILE = """format: 1
name: plain
ready: input
input: input
%smessages:
  list: ol
  item: li
%s  authors: [{who: bot, css: li}]
"""
AT_ONCE = "format: 1\nname: p\nseed: 1\nattempts:\n  - {scenario: S25, channel: chat, entry: %s, count: 1}\n"
DRAWN = """format: 1
name: p
seed: 1
window: {from: 2026-12-01, to: 2026-12-02}
size: {n: 2}
mix: [{scenario: S25, share: 1}]
strata: [{entry: %s, channel: chat, days: workday, hours: "09:00-18:00"}]
"""


API = """format: 1
name: socket
websocket: {path: chat}
read: {rules: [{text: text, shows: {%s}}]}
"""


def checked(folder: Path, plan: str, profile: tuple[str, str]) -> None:
    (folder / "plan.yaml").write_text(plan, encoding="utf-8")
    (folder / "target.yaml").write_text(TARGET, encoding="utf-8")
    (folder / "other.yaml").write_text(PROFILE % profile, encoding="utf-8")
    check_means(load_plan(folder / "plan.yaml"), load_target(folder / "target.yaml"), {"S25": load("S25").scenario})


@pytest.mark.parametrize(("plan", "place"), [(AT_ONCE, "5:16"), (DRAWN, "6:18")])
def test_a_plan_is_refused_whose_chat_cannot_do_what_its_script_asks(tmp_path, plan, place):
    checked(tmp_path, plan % "web", ("", ""))
    checked(tmp_path, plan % "other", ("attach: '#file'\n", "  card: .card\n"))
    checked(tmp_path, plan % "nowhere", ("", ""))  # that is told elsewhere
    for profile, needs, key in (
        (("", "  card: .card\n"), "sends the file 'S25-card.png'", "attach"),
        (("attach: '#file'\n", ""), "expects the card 'offer'", "messages.card"),
    ):
        with pytest.raises(PlanError) as refused:
            checked(tmp_path, plan % "other", profile)
        assert str(refused.value) == (
            f"{tmp_path}/plan.yaml:{place}: scenario S25 {needs}, and the profile 'plain' of chat 'other' has no {key}"
            f" (add '{key}' to the profile, or take the scenario to another chat)"
        )


@pytest.mark.parametrize(
    ("shows", "message"),
    [
        ("button: b, card: c", "no rule of the interface 'socket' of chat 'web' shows any image"
         " (add 'shows: {image: PATH}' to the rule of its messages, or take the scenario to another chat)"),
        ("button: b, image: i", "no rule of the interface 'socket' of chat 'web' shows any card"
         " (add 'shows: {card: PATH}' to the rule of its messages, or take the scenario to another chat)"),
        ("image: i, card: c", "no rule of the interface 'socket' of chat 'web' shows any button"
         " (add 'shows: {button: PATH}' to the rule of its messages, or take the scenario to another chat)"),
        ("button: b, image: i, card: c", None),
    ],
)  # fmt: skip
def test_an_interface_takes_no_files_and_shows_what_its_rules_say(tmp_path, shows, message):
    (tmp_path / "plan.yaml").write_text(AT_ONCE % "web", encoding="utf-8")
    target = TARGET.replace("widget: sandbox", "api: api.yaml").replace(", widget: other.yaml", "")
    (tmp_path / "target.yaml").write_text(target, encoding="utf-8")
    (tmp_path / "api.yaml").write_text(API % shows, encoding="utf-8")
    whole = load("S25").scenario
    steps = tuple(
        step.model_copy(update={"ask": step.ask.model_copy(update={"attach": None})})
        for step in whole.steps
        if step.ask
    )

    def check(scenario):
        check_means(load_plan(tmp_path / "plan.yaml"), load_target(tmp_path / "target.yaml"), {"S25": scenario})

    with pytest.raises(PlanError) as refused:
        check(whole)
    assert str(refused.value).endswith(
        "scenario S25 sends the file 'S25-card.png', and the interface 'socket' of chat 'web' cannot send files"
        " (take the scenario to another chat)"
    )
    fits = whole.model_copy(update={"steps": steps})
    if message is None:
        check(fits)
    else:
        with pytest.raises(PlanError) as refused:
            check(fits)
        assert str(refused.value).endswith(message)


def test_the_plan_command_tells_it_too(tmp_path):
    with pytest.raises(PlanError):
        checked(tmp_path, AT_ONCE % "other", ("", ""))
    ran = shopper("plan", "preview", "--plan", str(tmp_path / "plan.yaml"))
    assert ran.code == 2
    assert "has no attach" in ran.err
