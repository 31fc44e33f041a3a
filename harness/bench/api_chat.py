"""200 conversations of 5 turns over HTTP with one local server, ours and Botium CLI's, start-up included.

Ours is what a session goes through in its worker (:func:`probes.probe.run`): profile, target and script read and
checked, the conversation engine with its limits, instants, judgement of facts, transcript with its SHA-256, and the
session's record written. Not in it: planning, the policy, the ledger, workers of their own, the report. Botium CLI
reads 200 files, sends the same texts and looks for the same words in the answers; it runs them one by one.

The sides take turns; of each the best round is told, wall and CPU seconds (user and system, of the client alone: the
server is a bare socket that costs both the same). What no client of this kind can beat stands beside them: a bare loop
of aiohttp that sends the 1,000 requests and reads the answers, from its start to its end, and no session around it. A
server that takes 50 ms for each answer takes 50 s for 1,000 one at a time, whoever asks: there the ratio is 1.

``python -m harness.bench.api_chat`` prints the table; it needs npm for Botium's side, and leaves that out without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

CONVERSATIONS, TURNS = 200, 5
BOTIUM, VERSION = "botium-cli", "1.1.0"
CACHE = Path(".cache") / "npm" / f"{BOTIUM}-{VERSION}"
AT_ONCE = 50
QUESTIONS = tuple(f"question {n}" for n in range(1, TURNS))
FAREWELL = "goodbye now"

PROFILE = """format: 1
name: bench
rest: {say: {path: say, body: {q: "${text}"}}}
read: {items: "replies[*]", rules: [{text: text}]}
"""
TARGET = {
    "format": 1, "name": "bench", "lang": "en", "chats": {"rest": {"url": "", "api": "bench.yaml", "channels": 50}},
    "facts": {"B01": {f"f{n}": {"right": [f"answer to {text}"]} for n, text in enumerate(QUESTIONS)}},
}  # fmt: skip


def answer(text: str) -> str:
    """Returns what the server says to ``text``."""
    return f"answer to {text}"


class Answering(asyncio.Protocol):
    """The far end of one connection: HTTP 1.1, as little as there can be of it."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s, self._data = delay_s, b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the connection."""
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers a request once it is whole."""
        self._data += data
        head, _, body = self._data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if length is None or len(body) < int(length[1]):
            return
        self._data = b""
        text = json.loads(body)["q"]
        reply = json.dumps({"replies": [{"text": answer(text)}]}).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(reply)
        assert self._transport is not None
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, head + reply)
        else:
            self._transport.write(head + reply)


async def serve(port_file: Path, delay_s: float) -> None:
    """Runs the far end until standard input closes."""
    server = await asyncio.get_running_loop().create_server(lambda: Answering(delay_s), "127.0.0.1", 0, backlog=1000)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    await asyncio.to_thread(port_file.write_text, url, encoding="utf-8")
    await asyncio.to_thread(sys.stdin.read)
    server.close()


async def ask_barely(url: str, at_once: int) -> int:
    """Sends the same requests and reads the answers, nothing more; returns how many conversations were right."""
    import aiohttp

    places, right = asyncio.Semaphore(at_once), 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal right
        async with places:
            good = True
            for text in (*QUESTIONS, FAREWELL):
                async with session.post(url + "say", json={"q": text}) as response:
                    good &= (await response.json())["replies"][0]["text"] == answer(text)
            right += good

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(CONVERSATIONS):
            group.create_task(one(session))
    return right


async def converse(folder: Path, at_once: int, conversations: int = CONVERSATIONS) -> int:
    """Holds the conversations; returns how many had every answer right."""
    from probes.equipment import Equipment
    from probes.probe import Assignment, run
    from probes.session import AttemptKey, Outcome
    from probes.target_file import load_target
    from scenarios.model import Scenario
    from scenarios.yaml_file import load_with_hash

    loaded = load_target(folder / "target.yaml")
    script = load_with_hash(folder / "B01.yaml", Scenario)
    equipment = Equipment(folder / "cache")
    places, right = asyncio.Semaphore(at_once), 0

    async def one(number: int) -> None:
        nonlocal right
        async with places:
            key = AttemptKey(run="bench", id=f"{number:04d}", scenario="B01", channel="chat", entry="rest", seed=number)
            place = folder / "sessions" / key.id
            job = Assignment(
                attempt=key, scenario=script.model, scenario_sha256=script.sha256, target=loaded.target,
                target_folder=loaded.folder, limits=script.model.limits, lang="en", folder=place, version="bench",
            )  # fmt: skip
            session = await run(job, equipment)
            (place / "session.json").write_text(session.model_dump_json(), encoding="utf-8")
            said = [event.data["text"] for event in session.timeline if event.kind == "message"]
            facts = [fact.verdict for fact in session.judgement.facts]
            good = session.outcome is Outcome.IVR_SERVED and facts == ["pass"] * len(QUESTIONS)
            right += good and said == [answer(text) for text in (*QUESTIONS, FAREWELL)]

    async with asyncio.TaskGroup() as group:
        for number in range(conversations):
            group.create_task(one(number))
    await equipment.close()
    return right


def write_ours(folder: Path, url: str) -> None:
    """Writes profile, script and target into ``folder``."""
    steps = [
        {"ask": {"id": f"q{n}", "say": {"zh": text, "en": text}, "facts": [f"f{n}"]}}
        for n, text in enumerate(QUESTIONS)
    ]
    facts = [{"key": f"f{n}", "name": {"zh": text, "en": text}} for n, text in enumerate(QUESTIONS)]
    words = {"zh": "bench", "en": "bench"}
    script = {
        "format": 1, "id": "B01", "version": 1, "title": words, "schemes": ["CMM-525-0005"], "channels": ["chat"],
        "persona": {"age": [25, 55], "tone": words, "story": words}, "goal": words, "steps": steps,
        "farewell": {"zh": FAREWELL, "en": FAREWELL}, "facts": facts, "must": [], "must_not": [],
        "resolve": {"facts": 1}, "indicators": [], "limits": {}, "safety": {"read_only": True, "stop_words": []},
    }  # fmt: skip
    target = json.loads(json.dumps(TARGET))
    target["chats"]["rest"]["url"] = url
    (folder / "bench.yaml").write_text(PROFILE, encoding="utf-8")
    (folder / "B01.yaml").write_text(json.dumps(script), encoding="utf-8")
    (folder / "target.yaml").write_text(json.dumps(target), encoding="utf-8")


def _write_theirs(folder: Path, url: str) -> None:
    capabilities = {
        "PROJECTNAME": "bench", "CONTAINERMODE": "simplerest", "SIMPLEREST_URL": url + "say",
        "SIMPLEREST_METHOD": "POST", "SIMPLEREST_BODY_TEMPLATE": '{"q": "{{msg.messageText}}"}',
        "SIMPLEREST_HEADERS_TEMPLATE": '{"Content-Type": "application/json"}',
        "SIMPLEREST_RESPONSE_JSONPATH": "$.replies[*].text",
    }  # fmt: skip
    (folder / "botium.json").write_text(json.dumps({"botium": {"Capabilities": capabilities}}), encoding="utf-8")
    (folder / "convos").mkdir()
    turns = "".join(f"\n#me\n{text}\n\n#bot\n{answer(text)}\n" for text in (*QUESTIONS, FAREWELL))
    for number in range(CONVERSATIONS):
        (folder / "convos" / f"c{number:04d}.convo.txt").write_text(f"C{number:04d}\n{turns}", encoding="utf-8")


def find_botium() -> Path | None:
    """Returns Botium CLI, fetched once by npm into the cache, its scripts and its analytics off; None without npm."""
    program = CACHE / "node_modules" / ".bin" / BOTIUM
    if not program.exists() and shutil.which("npm"):
        CACHE.mkdir(parents=True, exist_ok=True)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        quiet = os.environ | {"BOTIUM_ANALYTICS": "false"}
        (CACHE / "package.json").write_text("{}", encoding="utf-8")  # so that npm installs there
        command = ["npm", "install", *options, f"{BOTIUM}@{VERSION}"]
        subprocess.run(command, cwd=CACHE, env=quiet, check=False, timeout=600)
    return program.resolve() if program.exists() else None


@contextmanager
def far_end(folder: Path, delay_s: float) -> Iterator[str]:
    """Runs the server as a process of its own and yields its URL."""
    port = folder / "port"
    command = [sys.executable, "-m", "harness.bench.api_chat", "serve", str(port), str(delay_s)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE)
    try:
        while not (port.exists() and port.read_text(encoding="utf-8")):
            if process.poll() is not None:
                raise RuntimeError("the server did not start")
            time.sleep(0.02)
        yield port.read_text(encoding="utf-8")
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


@dataclass(frozen=True)
class Cost:
    """Of one program from its start to its end, seconds."""

    wall: float
    cpu: float


def _run(command: list[str], **more: Any) -> tuple[Cost, subprocess.CompletedProcess[str]]:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    wall, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime), done


def measure_ours(url: str, at_once: int) -> Cost:
    """Measures our program, all answers right."""
    with tempfile.TemporaryDirectory(prefix="bench-api-") as name:
        write_ours(Path(name), url)
        cost, done = _run([sys.executable, "-m", "harness.bench.api_chat", "converse", name, str(at_once)])
    return _all_right(cost, done)


def measure_bare(url: str, at_once: int) -> Cost:
    """Measures the bare loop of aiohttp."""
    return _all_right(*_run([sys.executable, "-m", "harness.bench.api_chat", "bare", url, str(at_once)]))


def _all_right(cost: Cost, done: subprocess.CompletedProcess[str]) -> Cost:
    if done.stdout.strip() != str(CONVERSATIONS):
        raise RuntimeError(f"{done.stdout.strip()} of {CONVERSATIONS} conversations were right: {done.stderr[-500:]}")
    return cost


def measure_botium(url: str, program: Path) -> Cost:
    """Measures Botium CLI, all conversations passed."""
    with tempfile.TemporaryDirectory(prefix="bench-botium-") as name:
        _write_theirs(Path(name), url)
        quiet = os.environ | {"BOTIUM_ANALYTICS": "false"}
        cost, done = _run([str(program), "run", "--config", "botium.json", "--convos", "convos"], cwd=name, env=quiet)
    if done.returncode != 0 or f"{CONVERSATIONS} passing" not in done.stdout:
        raise RuntimeError(f"Botium CLI did not pass: {(done.stdout + done.stderr)[-500:]}")
    return cost


def measure_api_chat(delay_s: float, rounds: int) -> dict[str, Cost]:
    """Returns the best of the rounds by side (``botium`` is left out without npm); the sides take turns."""
    program = find_botium()
    sides: dict[str, Callable[[str], Cost]] = {
        "ours, one at a time": lambda url: measure_ours(url, 1),
        "ours, 50 at once": lambda url: measure_ours(url, AT_ONCE),
        "bare aiohttp, one at a time": lambda url: measure_bare(url, 1),
        "bare aiohttp, 50 at once": lambda url: measure_bare(url, AT_ONCE),
    }
    if program is not None:
        sides["Botium CLI"] = lambda url: measure_botium(url, program)
    found: dict[str, list[Cost]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory(prefix="bench-far-") as name, far_end(Path(name), delay_s) as url:
        for _ in range(rounds):
            for side, measure in sides.items():
                found[side].append(measure(url))
    return {
        side: Cost(min(cost.wall for cost in costs), min(cost.cpu for cost in costs)) for side, costs in found.items()
    }


def table(delay_s: float, costs: dict[str, Cost]) -> Table:
    """Returns the figures and how many times faster than Botium CLI each is."""
    from rich.table import Table

    title = f"{CONVERSATIONS} chats of {TURNS} turns over HTTP, start-up included, server delay {delay_s * 1000:.0f} ms"
    found = Table(title=f"{title} (load {os.getloadavg()[0]:.1f})", title_justify="left")
    for column in ("", "wall, s", "CPU, s", "times faster than Botium CLI", "with less CPU"):
        found.add_column(column, justify="right" if column else "left")
    theirs = costs.get("Botium CLI", Cost(math.nan, math.nan))
    for side, cost in costs.items():
        ratios = (theirs.wall / cost.wall, theirs.cpu / cost.cpu)
        found.add_row(side, f"{cost.wall:.2f}", f"{cost.cpu:.2f}", *(f"{ratio:.1f}" for ratio in ratios))
    return found


def main() -> None:
    """Measures and prints, or plays one of the sides."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.api_chat", description=__doc__)
    parser.add_argument("what", nargs="*", default=[], help="a side to play, for the bench itself")
    parser.add_argument("--delay-ms", type=float, nargs="+", default=[0, 50], help="of the server, for each answer")
    parser.add_argument("--rounds", type=int, default=3, help="at a delay of 0 (with a delay: one, it takes minutes)")
    asked = parser.parse_args()
    match asked.what:
        case ["serve", port_file, delay_s]:
            asyncio.run(serve(Path(port_file), float(delay_s)))
        case ["converse", folder, at_once]:
            sys.stdout.write(f"{asyncio.run(converse(Path(folder), int(at_once)))}\n")
        case ["bare", url, at_once]:
            sys.stdout.write(f"{asyncio.run(ask_barely(url, int(at_once)))}\n")
        case _:
            report(asked.delay_ms, asked.rounds)


def report(delays_ms: Iterable[float] = (0, 50), rounds: int = 3) -> None:
    """Measures at each delay and prints."""
    from rich.console import Console

    for delay_ms in delays_ms:
        costs = measure_api_chat(delay_ms / 1000, rounds if delay_ms == 0 else 1)
        Console().print(table(delay_ms / 1000, costs))


if __name__ == "__main__":
    main()
