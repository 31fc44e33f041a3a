"""What a chat over an interface costs: its process loads nothing of pages and calls, and long talk stays cheap."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.bench import api_chat
from probes.instants import find, may_change
from probes.session import Event
from tests.shopper import ROOT

HEAVY = {"numpy", "scipy", "pandas", "playwright", "pjsua2", "onnxruntime", "aiohttp.web", "probes.hearing.ear"}
HEAVY |= {"probes.chat.channel", "probes.chat.widget", "probes.speaking.speaker"}
START = "import asyncio; from pathlib import Path; from harness.bench.api_chat import converse"
LOOK = "import json, sys; json.dump(sorted(sys.modules), sys.stdout)"


def test_a_conversation_over_http_is_whole_and_loads_neither_pages_nor_calls(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as far, api_chat.far_end(Path(far), 0.0) as url:
        api_chat.write_ours(tmp_path, url)
        hold = f"assert asyncio.run(converse(Path({str(tmp_path)!r}), 3, 4)) == 4"
        done = subprocess.run(
            [sys.executable, "-c", f"{START}; {hold}; {LOOK}"], cwd=ROOT, capture_output=True, check=True
        )
    assert HEAVY.intersection(json.loads(done.stdout)) == set()
    session = json.loads((tmp_path / "sessions" / "0003" / "session.json").read_text())
    assert [fact["verdict"] for fact in session["judgement"]["facts"]] == ["pass"] * 4
    assert session["evidence"][0]["name"] == "transcript.jsonl"


def test_the_bare_client_and_the_far_end_of_the_bench_agree() -> None:
    with tempfile.TemporaryDirectory() as far, api_chat.far_end(Path(far), 0.001) as url:
        cost = api_chat.measure_bare(url, 50)
    assert cost.cpu > 0
    assert cost.wall > 0.02  # 200 x 5 answers of 1 ms, 50 at once


KINDS = st.sampled_from(
    ["request", "message", "first_token", "notice", "typing", "said", "ended", "choices", "garbled"]
)
CHAT_EVENTS = st.builds(
    lambda kind, t, method, speaker, role: Event(
        kind=kind, t=t, method=method, data={"speaker": speaker, "role": role}
    ),
    KINDS,
    st.floats(0, 100).map(lambda t: round(t, 2)),
    st.sampled_from(["dom", "frame"]),
    st.sampled_from(["bot", "agent", "system", "unknown"]),
    st.sampled_from(["queue", "joined", "left", None]),
)


@given(st.lists(CHAT_EVENTS, max_size=14))
def test_what_cannot_change_the_instants_of_a_chat_does_not(timeline: list[Event]) -> None:
    assert find(timeline) == find([event for event in timeline if may_change(event)])


def test_every_event_of_a_call_may_change_its_instants_but_typing() -> None:
    for kind in ("connected", "prompt", "speech", "music", "message", "said", "tone", "line_open", "ended", "request"):
        assert may_change(Event(kind=kind, t=1.0, method="voice", data={"speaker": "ivr"}))
