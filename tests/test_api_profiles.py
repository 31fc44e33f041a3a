"""Paths, templates and profiles of interfaces: what is right loads, what is wrong is told with its line."""

import pytest

from harness.permission import addresses_of
from probes.chat.api import paths, templates
from probes.chat.api.interface import Interface, load_interface
from probes.chat.api.reading import items_of
from probes.target import Chat
from scenarios.errors import HarnessFault, TargetError


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [{"a": {"b": [1, {"c": 2}, None]}, "odd key": "x"}]),
        ("a.b[0]", [1]),
        ("$.a.b[-2].c", [2]),
        ("a.b[*]", [1, {"c": 2}, None]),
        ("a[*][0]", [1]),
        ('["odd key"]', ["x"]),
        ("a.b[9]", []),
        ("a.nothing.there", []),
        ("a[0]", []),
        ("a.b.c", []),
    ],
)
def test_a_path_finds(path, found):
    document = {"a": {"b": [1, {"c": 2}, None]}, "odd key": "x"}
    assert paths.find(document, path) == found


@pytest.mark.parametrize("path", ["", "a..b", "a b", "a[x]", "a[", "[0]b", "$x", "a.", "..a", "a[?(@.b)]"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="path"):
        paths.parse(path)


def test_templates_keep_types_and_structure():
    values = {"text": '转"人工', "number": 3}
    made = templates.fill({"a": "${number}", "b": ["say: ${text}", 7, None], "c": "$${text}"}, values)
    assert made == {"a": 3, "b": ['say: 转"人工', 7, None], "c": "${text}"}


def test_a_value_cannot_lead_an_address_elsewhere():
    assert templates.fill_url("/c/${id}/m", {"id": "a/../b?x=1#y"}) == "/c/a%2F..%2Fb%3Fx%3D1%23y/m"
    for value in (".", ".."):
        with pytest.raises(HarnessFault, match="cannot stand in an address"):
            templates.fill_url("/c/${id}/m", {"id": value})


def test_a_missing_or_short_secret_is_our_own_fault(monkeypatch, tmp_path):
    monkeypatch.delenv("CHAT_KEY", raising=False)
    with pytest.raises(HarnessFault, match="CHAT_KEY is not set"):
        templates.secrets_of({"h": "Bearer ${env:CHAT_KEY}"})
    monkeypatch.setenv("CHAT_KEY", "abc")
    with pytest.raises(HarnessFault, match="shorter than 6"):
        templates.secrets_of("${env:CHAT_KEY}")
    monkeypatch.delenv("CHAT_KEY")
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("CHAT_KEY_FILE", str(tmp_path / "key"))
    assert templates.secrets_of("${env:CHAT_KEY}") == {"env:CHAT_KEY": "from-a-file"}


HEAD = "format: 1\nname: ours\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("websocket: {}\nrest: {say: {}}\n", 1, "exactly one of: websocket, rest, directline, socketio"),
        ("rest: {say: {}}\n", 1, "rest needs read"),
        ("websocket:\n  say: {t: '${txet}'}\n", 4, "'${txet}' is nothing that is known here"),
        ("websocket:\n  path: 'ws://elsewhere/'\n", 4, "is no address"),
        ("websocket: {}\nread:\n  rules:\n    - {kind: delta, text: t}\n", 6, "needs id"),
        ("websocket: {}\nread:\n  rules:\n    - {text: 'a b'}\n", 6, "not a path: 'a b'"),
        ("websocket: {}\nread:\n  rules:\n    - {kind: notice, text: t}\n", 6, "role"),
        ("websocket: {}\nnotices:\n  - {role: queue, pattern: '('}\n", 5, "not a regular expression"),
        ("websocket:\n  pings: 3\n", 4, "unknown key 'pings'"),
        ("directline: {token: {path: /token}}\n", 3, "must save it"),
        ("websocket: {}\nalso: ['ftp://x/']\n", 4, "must match"),
        ("rest:\n  start: [{save: {text: id}}]\n  say: {}\nread: {rules: [{text: t}]}\n", 4, "cannot be saved"),
    ],
)
def test_a_mistake_in_a_profile_is_told_with_its_line(tmp_path, text, line, words):
    (tmp_path / "ours.yaml").write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(TargetError) as mistake:
        load_interface("ours.yaml", tmp_path)
    assert words in str(mistake.value)
    assert mistake.value.line == line


def test_the_policy_sees_every_address(tmp_path):
    (tmp_path / "ours.yaml").write_text(
        HEAD + "rest:\n  start: [{path: /begin}]\n  say: {path: '/c/${session}/say'}\n"
        "  poll: {path: 'https://other.example.com/poll'}\nalso: ['https://third.example.com/']\n"
        "read: {rules: [{text: t}]}\n",
        encoding="utf-8",
    )
    chat = Chat(url="https://bank.example.com/api/", api="ours.yaml")
    assert addresses_of(chat, tmp_path) == (
        "https://bank.example.com/api/",
        "https://bank.example.com/begin",
        "https://bank.example.com/c/x/say",
        "https://other.example.com/poll",
        "https://third.example.com/",
    )


def test_rules_read_what_comes_in():
    read = Interface.model_validate(
        {
            "format": 1, "name": "x", "websocket": {},
            "read": {
                "items": "data[*]",
                "authors": {"svc": "agent", "robot": "bot"},
                "rules": [
                    {"when": {"type": ["text", "rich"]}, "text": "parts[*].t", "id": "id", "author": "from"},
                    {"when": {"type": "seat", "n": "*"}, "kind": "notice", "role": "queue", "position": "n"},
                    {"when": {"busy": True}, "kind": "typing", "on": "busy"},
                ],
            },
        }
    ).read  # fmt: skip
    document = {
        "data": [
            {"type": "text", "id": 5, "from": "svc", "parts": [{"t": "一"}, {"t": "二"}]},
            {"type": "rich", "from": "who", "parts": [{"t": 3}]},
            {"type": "seat", "n": "12"},
            {"type": "seat"},
            {"busy": 1},
            {"busy": True},
            {"type": "text", "parts": []},
        ]
    }
    found = [(i.kind, i.id, i.author, i.text, i.position) for i in items_of(document, read)]
    assert found == [
        ("message", 5, "agent", "一\n二", None),
        ("message", None, "unknown", "3", None),
        ("notice", None, "bot", "", 12),
        ("typing", None, "bot", "", None),
    ]
