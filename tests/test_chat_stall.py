"""A page that stood still sends its session to review: from the page's thread to the words that an evaluator reads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from probes.equipment import Equipment
from probes.probe import Assignment, run
from probes.session import AttemptKey, Session
from probes.target import Target
from results.reasons import in_words
from scenarios.catalogue import load as load_scenario
from scenarios.model import Limits
from tests.torture_chat_page import PROFILE, torture_page


async def probe(folder: Path, case: str) -> Session:
    """Holds one chat by a script of the library, on the torture page of the case."""
    (folder / "torture.yaml").write_text(PROFILE, encoding="utf-8")
    script = load_scenario("S21")
    key = AttemptKey(run="r", id="a001", scenario="S21", channel="chat", entry="web", seed=1)
    async with torture_page() as torture:
        chats = {"web": {"url": torture.page(case), "widget": "torture.yaml"}}
        target = Target.model_validate({"format": 1, "name": "torture", "lang": "en", "chats": chats})
        job = Assignment(
            key,
            script.scenario,
            script.sha256,
            target,
            folder,
            Limits(menu_s=2, reply_s=4),
            "en",
            folder / "a001",
            "test",
        )
        equipment = Equipment(folder / "cache")
        try:
            return await run(job, equipment)
        finally:
            await equipment.close()


@pytest.mark.parametrize("case", ["stands", "plain"])
def test_a_page_that_stood_still_is_for_a_person_to_review(tmp_path: Path, case: str) -> None:
    session = asyncio.run(probe(tmp_path, case))
    told = [why for why in session.review if why.startswith("the page stood still")]
    assert len(told) == (case == "stands")
    assert all("网页停顿" in in_words(why, "zh") for why in told)
    assert any(event.kind == "message" and "late" in event.data["text"] for event in session.timeline) == bool(told)
