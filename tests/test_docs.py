"""The documents are true where that can be checked: commands, options, targets, links, codes, columns, examples."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pytest
import typer.main

from harness import cli
from harness.authorisation import load_authorisation
from harness.plan import Plan, PlanLimits, expand, load_plan
from harness.policy import check_call, check_chat
from harness.sandbox.calls import NUMBERS
from harness.sandbox.centre import LINES
from harness.sandbox.chat import PAGE_FAULTS
from harness.sandbox.chat_room import ROOM_FAULTS
from probes.chat.api.interface import (
    ApiLimits,
    DirectLine,
    Emit,
    Interface,
    Poll,
    Read,
    Request,
    Rest,
    Rule,
    SocketIo,
    Stream,
    WebSocket,
    load_interface,
)
from probes.chat.notices import NoticeRule
from probes.chat.widget import Widget, load_widget
from probes.hearing.wav import write_wav
from probes.session import Outcome
from probes.target import Account, Chat, FactAnswer, Line, Prompt, ReachStep, Target
from probes.target_file import load_target
from scenarios import catalogue
from scenarios.model import Limits, Scenario
from scoring.observations import COLUMNS
from tests.conventions import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def example(name: str) -> str:
    """Returns the YAML example of a page."""
    return re.search(r"```yaml\n(.*?)```", read(f"docs/{name}.md"), re.DOTALL)[1]


def commands(group=None, name=()):
    """Yields each command's words and its options."""
    group = group or typer.main.get_command(cli.app)
    if not hasattr(group, "commands"):
        yield " ".join(name), [opt for param in group.params for opt in param.opts if opt.startswith("--")]
        return
    yield " ".join(name), [opt for param in group.params for opt in param.opts if opt.startswith("--")]
    for word, command in group.commands.items():
        yield from commands(command, (*name, word))


def test_every_command_is_in_the_documents():
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    names = [name for name, _ in commands() if name and name != "scenarios"]
    assert {"probe", "sandbox", "scenarios lint", "score", "report", "init"} <= set(names)
    assert [name for name in names if f"shopper {name}" not in text] == []


def test_every_option_is_in_the_documents():
    text = "".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    options = {opt for _, opts in commands() for opt in opts} - {"--help"}
    assert {"--target", "--plan", "--json", "--version"} <= options
    assert sorted(opt for opt in options if not re.search(rf"{opt}\b", text)) == []


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_make_target_is_in_the_readme(name):
    targets = re.findall(r"^([a-z]+):.*##", read("Makefile"), re.MULTILINE)
    assert "probe" in targets
    assert [target for target in targets if f"`make {target}`" not in read(name)] == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        place = page.parent / path if path else page
        if not place.exists():
            broken.append(link)
        elif anchor:
            heads = re.findall(r"^#+ (.+)$", place.read_text(encoding="utf-8"), re.MULTILINE)
            if anchor not in [re.sub(r"[^\w -]", "", head).strip().lower().replace(" ", "-") for head in heads]:
                broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme():
    linked = set(re.findall(r"\]\(([^)#\s]+)", read("README.md")))
    pages = {path.relative_to(ROOT).as_posix() for path in DOCUMENTS} - {"README.md"}
    assert pages - linked == set()


def test_exit_codes_of_the_command_are_documented():
    codes = re.findall(r"\b(\d+) [a-z]", re.search(r"Exit codes: (.+?)\n\n|Exit codes: (.+)", cli.__doc__)[0])
    assert codes == ["0", "1", "2", "3"]
    for page in ("docs/exit-codes.md", "README.md", "README.zh-CN.md"):
        assert [code for code in codes if f"\n| {code} | " not in read(page)] == [], page


def test_the_chinese_readme_has_the_same_parts():
    english, chinese = read("README.md"), read("README.zh-CN.md")
    for part in (r"^#+ ", r"^\| [1-8] \| \*\*", r"^- \*\*|^- ", r"<!-- bench:[a-z-]+ -->", r"^\| `make "):
        assert len(re.findall(part, english, re.MULTILINE)) == len(re.findall(part, chinese, re.MULTILINE)), part
    marks = [re.findall(r"bench:([a-z-]+)", text) for text in (english, chinese)]
    assert marks[0] == marks[1]


def test_observations_lists_exactly_the_columns():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", read("docs/observations.md"), re.MULTILINE)
    assert [(name, dtype) for name, dtype, _ in rows] == [(column.name, column.dtype) for column in COLUMNS]
    assert all(about.strip() for _, _, about in rows)


def test_every_outcome_is_defined():
    rows = re.findall(r"^\| `([A-Z_]+)` \|", read("docs/outcomes-and-instants.md"), re.MULTILINE)
    assert rows == [str(outcome) for outcome in Outcome]


@pytest.mark.parametrize(
    ("page", "models"),
    [
        ("scenarios", [Scenario, Limits]),
        ("target", [Target, Line, Chat, ReachStep, Prompt, FactAnswer, Account]),
        ("plan", [Plan, PlanLimits]),
        ("chat", [Widget, NoticeRule]),
        (
            "api-chat",
            [Interface, Read, Rule, Request, Poll, Stream, Rest, WebSocket, DirectLine, SocketIo, Emit, ApiLimits],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_key_of_a_file_is_on_its_page(page, models):
    keys = {name for model in models for name in model.model_fields}
    text = read(f"docs/{page}.md")
    assert sorted(key for key in keys if not re.search(rf"\b{key}\b", text)) == []


def test_the_scenario_example_is_right(tmp_path):
    (tmp_path / "W01.yaml").write_text(example("scenarios"), encoding="utf-8")
    assert catalogue.lint([tmp_path]) == []
    assert catalogue.load("W01", tmp_path).scenario.id == "W01"


def test_target_plan_and_authorisation_examples_fit_each_other(tmp_path):
    for name in ("target", "plan", "authorisation"):
        (tmp_path / f"{name}.yaml").write_text(example(name), encoding="utf-8")
    for audio in re.findall(r"audio: (\S+\.wav)", example("target")):
        write_wav(tmp_path / audio, np.ones(800, np.int16))
    (tmp_path / "recordings").mkdir()
    target = load_target(tmp_path / "target.yaml").target
    plan = load_plan(tmp_path / "plan.yaml")
    scripts = {stratum.scenario: catalogue.load(stratum.scenario).scenario for stratum in plan.plan.attempts}
    assert len(expand(plan, target, scripts)) == sum(stratum.count for stratum in plan.plan.attempts)
    permission = load_authorisation(tmp_path / "authorisation.yaml").authorisation
    inside = datetime(2026, 12, 3, tzinfo=UTC)
    for line in target.lines.values():
        check_call(line.uri, permission, inside)
    for chat in target.chats.values():
        check_chat(chat.url, permission, inside)


def test_the_widget_example_loads(tmp_path):
    (tmp_path / "ours.yaml").write_text(example("chat"), encoding="utf-8")
    widget = load_widget("ours.yaml", tmp_path)
    assert widget.notice("system", "您前面还有 3 位客户").position == 3


def test_the_interface_example_loads(tmp_path):
    (tmp_path / "ours.yaml").write_text(example("api-chat"), encoding="utf-8")
    assert load_interface("ours.yaml", tmp_path).notice("system", "工号1001已为您接入").role == "joined"


def test_the_sandbox_page_names_every_line_and_fault():
    text = read("docs/sandbox.md")
    rows = dict(re.findall(r"^\| (.+?) \| (\d{5}) \|", text, re.MULTILINE))
    assert set(rows.values()) == set(NUMBERS)
    documented = {(line, number) for names, number in rows.items() for line in re.findall(r"`([\w-]+)`", names)}
    assert documented == {(line, number) for lines in LINES.values() for line, (number, _, _) in lines.items()}
    assert [fault for fault in PAGE_FAULTS | ROOM_FAULTS if f"| `{fault}` |" not in text] == []


def test_modules_named_in_the_architecture_exist():
    text = read("ARCHITECTURE.md")
    named = re.findall(r"`((?:scenarios|probes|scoring|results|harness)/[\w/]+\.\w+)`", text)
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []
