"""200 conversations of 5 turns over HTTP with one local server, ours and Botium CLI's, start-up included.

Ours is what a session goes through in its worker (:func:`probes.probe.run`): profile, target and script read and
checked, the conversation engine with its limits, instants, judgement of facts, transcript with its SHA-256, and the
session's record written. Not in it: planning, the policy, the ledger, workers of their own, the report. Botium CLI
reads 200 files, sends the same texts and looks for the same words in the answers; it runs them one by one.

``python -m harness.bench.api_chat`` prints the table; it needs npm for Botium's side, and leaves that out without.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

CONVERSATIONS, TURNS = 200, 5
BOTIUM, VERSION = "botium-cli", "1.1.0"
CACHE = Path(".cache") / "npm" / f"{BOTIUM}-{VERSION}"
DELAYS_S = (0.0, 0.05)
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


async def serve(port_file: Path, delay_s: float) -> None:
    """Runs the far end until standard input closes."""

    async def say(request: web.Request) -> web.Response:
        text = (await request.json())["q"]
        if delay_s:
            await asyncio.sleep(delay_s)
        return web.json_response({"replies": [{"text": answer(text)}]})

    app = web.Application()
    app.router.add_post("/say", say)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await asyncio.to_thread(port_file.write_text, url, encoding="utf-8")
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


async def converse(folder: Path, at_once: int) -> int:
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
        for number in range(CONVERSATIONS):
            group.create_task(one(number))
    await equipment.close()
    return right


def _write_ours(folder: Path, url: str) -> None:
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
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix", str(CACHE)]
        quiet = os.environ | {"BOTIUM_ANALYTICS": "false"}
        subprocess.run(["npm", "install", *options, f"{BOTIUM}@{VERSION}"], env=quiet, check=False, timeout=600)
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


def measure_ours(url: str, at_once: int) -> float:
    """Returns the seconds of our program, from its start to its end, all answers right."""
    with tempfile.TemporaryDirectory(prefix="bench-api-") as name:
        _write_ours(Path(name), url)
        started = time.monotonic()
        command = [sys.executable, "-m", "harness.bench.api_chat", "converse", name, str(at_once)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        seconds = time.monotonic() - started
    if int(done.stdout) != CONVERSATIONS:
        raise RuntimeError(f"only {done.stdout.strip()} of {CONVERSATIONS} conversations were right")
    return seconds


def measure_botium(url: str, program: Path) -> float:
    """Returns the seconds of Botium CLI, from its start to its end, all conversations passed."""
    with tempfile.TemporaryDirectory(prefix="bench-botium-") as name:
        _write_theirs(Path(name), url)
        started = time.monotonic()
        command = [str(program), "run", "--config", "botium.json", "--convos", "convos"]
        quiet = os.environ | {"BOTIUM_ANALYTICS": "false"}
        done = subprocess.run(command, cwd=name, env=quiet, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - started
    if done.returncode != 0 or f"{CONVERSATIONS} passing" not in done.stdout:
        raise RuntimeError(f"Botium CLI did not pass: {(done.stdout + done.stderr)[-500:]}")
    return seconds


def measure_api_chat() -> list[dict[str, float]]:
    """Returns a row for each delay of the server: seconds one at a time, 50 at once, of Botium CLI (nan: not run)."""
    program = find_botium()
    rows = []
    for delay_s in DELAYS_S:
        with tempfile.TemporaryDirectory(prefix="bench-far-") as name, far_end(Path(name), delay_s) as url:
            row = {"delay_ms": delay_s * 1000, "load": os.getloadavg()[0]}
            row |= {"one_s": measure_ours(url, 1), "fifty_s": measure_ours(url, 50)}
            row["botium_s"] = measure_botium(url, program) if program is not None else float("nan")
        rows.append(row)
    return rows


def summary(rows: list[dict[str, float]]) -> str:
    """Returns the figures and ratios in words, a line for each delay."""
    return "\n".join(
        f"{CONVERSATIONS} chats of {TURNS} turns over HTTP, server delay {row['delay_ms']:.0f} ms, start-up included: "
        f"one at a time {row['one_s']:.2f} s, 50 at once {row['fifty_s']:.2f} s, Botium CLI {row['botium_s']:.2f} s; "
        f"ratios {row['botium_s'] / row['one_s']:.1f} and {row['botium_s'] / row['fifty_s']:.1f} "
        f"(load {row['load']:.1f})"
        for row in rows
    )


def main() -> None:
    """Measures and prints, or plays one of the two sides."""
    parser = argparse.ArgumentParser(prog="python -m harness.bench.api_chat")
    parser.add_argument("what", nargs="*", default=[])
    what = parser.parse_args().what
    if what[:1] == ["serve"]:
        asyncio.run(serve(Path(what[1]), float(what[2])))
    elif what[:1] == ["converse"]:
        sys.stdout.write(f"{asyncio.run(converse(Path(what[1]), int(what[2])))}\n")
    else:
        sys.stdout.write(summary(measure_api_chat()) + "\n")


if __name__ == "__main__":
    main()
