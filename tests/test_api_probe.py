"""`shopper probe` holds chats over interfaces, end to end: the sandbox's bot, queue and human by WebSocket."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from harness.calibration import pair, reply_errors
from harness.sandbox.truth import Truth
from probes.session import Outcome
from tests.api_servers import serving
from tests.shopper import ROOT, plan, shopper, write_yaml

pytestmark = pytest.mark.realtime

SANDBOX = {
    "format": 1,
    "name": "sandbox-interface",
    "websocket": {"path": "/chat?fault=", "say": {"type": "say", "text": "${text}"}},
    "echo": True,
    "read": {
        "authors": {"user": "user", "bot": "bot", "agent": "agent", "system": "system"},
        "rules": [
            {"when": {"type": "message"}, "id": "id", "author": "author", "text": "text"},
            {"when": {"type": "token"}, "kind": "delta", "id": "id", "text": "text", "who": "bot"},
            {"when": {"type": "done"}, "kind": "done", "id": "id"},
            {"when": {"type": "typing"}, "kind": "typing", "on": "on"},
        ],
    },
    "notices": [
        {"role": "queue", "by": ["system"], "pattern": r"前面还有\s*(?P<position>\d+)\s*位"},
        {"role": "joined", "by": ["system"], "pattern": "已为您接入"},
        {"role": "closed", "by": ["system"], "pattern": "请您?稍后再试"},
        {"role": "end", "by": ["system"], "pattern": "会话已结束"},
    ],
}


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("centre")
    command = [sys.executable, "-m", "harness.sandbox.chat", "--port-file", str(folder / "p.json"), "--pace", "0.1"]
    process = subprocess.Popen([*command, "--truth", str(folder / "truth.jsonl")], cwd=ROOT, stdin=subprocess.PIPE)
    try:
        while not (folder / "p.json").exists():
            assert process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield json.loads((folder / "p.json").read_text())["url"], folder / "truth.jsonl"
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def way() -> list[dict[str, str]]:
    return [{"say": "转人工", "after": "any"}]


def target(folder: Path, chats: dict[str, Any]) -> Path:
    write_yaml(folder / "sandbox-interface.yaml", SANDBOX)
    return write_yaml(folder / "target.yaml", {"format": 1, "name": "sandbox", "chats": chats})


def test_a_hand_off_over_an_interface_is_the_same_as_on_a_page(centre: tuple[str, Path], tmp_path: Path) -> None:
    url, truth = centre
    chats = {
        "api": {"url": url, "api": "sandbox-interface.yaml", "channels": 3, "to_human": way()},
        "full": {"url": url + "?", "api": "full.yaml", "to_human": way()},
    }
    full = SANDBOX | {"websocket": SANDBOX["websocket"] | {"path": "/chat?fault=drop"}}
    write_yaml(tmp_path / "full.yaml", full)
    attempts = plan(
        tmp_path / "plan.yaml", ("S01", "chat", "api", 2), ("S21", "chat", "api", 3), ("S21", "chat", "full", 1)
    )
    ran = shopper(
        "probe", "--target", target(tmp_path, chats), "--plan", attempts, "--runs", tmp_path / "runs", "--json"
    )

    assert ran.code == 0, ran.err
    sessions = list(ran.folder.sessions())
    found = sorted((s.attempt.scenario, s.attempt.entry, str(s.outcome)) for s in sessions)
    assert found == [
        ("S01", "api", "IVR_SERVED"), ("S01", "api", "IVR_SERVED"), ("S21", "api", "ANSWERED"),
        ("S21", "api", "ANSWERED"), ("S21", "api", "ANSWERED"), ("S21", "full", "DROPPED"),
    ]  # fmt: skip
    pairs = pair(sessions, truth)
    errors = reply_errors(pairs)
    assert len(errors) > 15
    assert all(error.error_s is not None and -0.005 < error.error_s < 0.25 for error in errors), errors
    for session in sessions:
        kinds = [event.kind for event in session.timeline]
        assert kinds[:2] == ["page_loaded", "widget_ready"]
        assert [evidence.kind for evidence in session.evidence] == ["transcript"]
        if session.outcome is Outcome.ANSWERED:
            assert {"notice", "typing", "first_token", "said", "request", "queue", "answer", "first_word"} <= set(kinds)
            joined = next(e for e in session.timeline if e.kind == "notice" and e.data["role"] == "joined")
            assert session.instants.answer is not None
            assert session.instants.answer.t == joined.t
    assert sum(row["event"] == "user_sent" for row in Truth.read(truth)) >= 12


def test_what_is_not_on_this_machine_needs_an_authorisation(tmp_path: Path) -> None:
    outside = SANDBOX | {"also": ["https://chat.example.com/stream"]}
    write_yaml(tmp_path / "outside.yaml", outside)
    file = target(tmp_path, {"api": {"url": "http://127.0.0.1:9/", "api": "outside.yaml", "to_human": way()}})
    attempts = plan(tmp_path / "plan.yaml", ("S01", "chat", "api", 1))
    ran = shopper("probe", "--target", file, "--plan", attempts, "--runs", tmp_path / "runs")

    assert ran.code == 3
    assert "chat.example.com" in ran.err


@pytest.mark.parametrize(
    ("chat", "words"),
    [
        ({"api": "missing.yaml"}, "there is no such file"),
        ({"api": "sandbox-interface.yaml", "widget": "sandbox"}, "a widget or an interface, not both"),
        ({"api": "sandbox"}, "is no interface profile"),
    ],
)
def test_a_target_names_one_profile_that_is_there(tmp_path: Path, chat: dict[str, str], words: str) -> None:
    file = target(tmp_path, {"api": {"url": "http://127.0.0.1:9/"} | chat})
    attempts = plan(tmp_path / "plan.yaml", ("S01", "chat", "api", 1))
    ran = shopper("probe", "--target", file, "--plan", attempts, "--runs", tmp_path / "runs")

    assert ran.code == 2
    assert words in ran.err


def test_an_interface_that_does_not_answer_is_a_network_failure(tmp_path: Path) -> None:
    file = target(tmp_path, {"api": {"url": "http://127.0.0.1:9/", "api": "sandbox-interface.yaml"}})
    attempts = plan(tmp_path / "plan.yaml", ("S01", "chat", "api", 1))
    ran = shopper("probe", "--target", file, "--plan", attempts, "--runs", tmp_path / "runs", "--json")

    [session] = ran.folder.sessions()
    assert session.outcome is Outcome.NET_FAIL
    assert "could not be reached" in session.reason


@pytest.mark.parametrize(
    ("by", "replies", "outcome", "certain"),
    [
        ("", ["正在为您转接", "您好，我是小王，请讲"], "IVR_FAIL", False),  # the human whom nothing tells from the bot
        ("bot", ["正在为您转接", "暂时没有人工客服"], "IVR_FAIL", True),
        ("", ["前面还有3位", "请稍等"], "LIMIT", True),
        ("", ["前面还有3位", "您好，我是小王，请讲"], "LIMIT", False),
    ],
)
def test_an_outcome_that_rests_on_who_spoke_is_certain_only_if_that_is_known(
    tmp_path: Path, by: str, replies: list[str], outcome: str, certain: bool
) -> None:
    async def chat(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"by": by, "text": "您好，请问您需要什么？"})
        async for frame in socket:
            for text in replies if frame.data == "转人工" else ["好的，已为您记录"]:
                await socket.send_json({"by": by, "text": text})
        return socket

    read = {"authors": {"bot": "bot"}, "rules": [{"author": "by", "text": "text"}]}
    notices = [{"role": "queue", "pattern": r"前面还有(?P<position>\d+)位"}]
    profile = {"format": 1, "name": "ours", "websocket": {"path": "chat"}, "read": read, "notices": notices}
    write_yaml(tmp_path / "ours.yaml", profile)
    attempts = plan(tmp_path / "plan.yaml", ("S21", "chat", "web", 1), menu_s=4, queue_s=5)
    with serving(("GET", "/chat", chat)) as url:
        chats = {"web": {"url": url, "api": "ours.yaml", "to_human": way()}}
        ran = shopper(
            "probe", "--target", target(tmp_path, chats), "--plan", attempts, "--runs", tmp_path / "runs", "--json"
        )
    assert ran.code == 0, ran.err
    [session] = ran.folder.sessions()
    assert (str(session.outcome), session.certain) == (outcome, certain), session.reason
