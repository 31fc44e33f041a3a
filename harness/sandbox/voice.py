"""The sandbox centre's telephone side: one process, at most four calls (`python -m harness.sandbox.voice`)."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
from pathlib import Path
from random import Random

from harness.sandbox import hostile, wording
from harness.sandbox.calls import NUMBERS, Call, Desk
from harness.sandbox.knowledge import Knowledge
from harness.sandbox.muting import MutingEndpoint
from harness.sandbox.processes import stopped
from harness.sandbox.truth import Truth
from probes.hearing.wav import read_wav
from probes.speaking.music import hold_music
from probes.speaking.speaker import Speaker
from probes.voice.leg import Leg
from probes.voice.trunk import Trunk
from scenarios.errors import ProbeFault

log = logging.getLogger(__name__)


class VoiceCentre:
    """Answers calls on one SIP port; which script a call gets is told by the number dialled."""

    def __init__(self, desk: Desk, name: str, seed: int) -> None:
        self.desk, self.name, self.seed = desk, name, seed
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self._endpoint = MutingEndpoint(on_invite=self._invited)

    async def start(self) -> str:
        """Listens; returns ``host:port``."""
        await self._endpoint.start()
        return await self._endpoint.bind(Trunk(uri="sip:centre@127.0.0.1"))

    async def stop(self) -> None:
        """Ends all calls and the endpoint."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._endpoint.stop()

    def _invited(self, leg: Leg) -> None:
        self._count += 1
        task = asyncio.create_task(self._serve(leg, f"{self.name}-{self._count}"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, leg: Leg, name: str) -> None:
        number = leg.number.removeprefix("sip:").split("@")[0]
        seed = f"{self.seed}:{name}"
        call = Call(leg, self.desk, name, Random(seed), Random(f"{seed}:speech"))
        call.log("invite", number=number, call_id=leg.call_id)
        script = (NUMBERS | hostile.NUMBERS).get(number)
        following = asyncio.create_task(call.follow())
        running: asyncio.Task[None] | None = asyncio.create_task(script(call)) if script else None
        try:
            if running is None:
                await leg.hang_up(404)
            else:
                await asyncio.wait({running, following}, return_when=asyncio.FIRST_COMPLETED)
                if running.done() and not isinstance(running.exception(), ProbeFault | None):
                    log.error("call %s: %r", name, running.exception())
        finally:
            if running is not None:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
            leg.mouth.stop()
            await leg.hang_up()
            await following


async def serve(args: argparse.Namespace) -> None:
    """Runs until stdin closes or SIGTERM comes."""
    recordings = {path.stem: read_wav(path) for path in sorted(args.recordings.glob("*.wav"))}
    with Truth(args.truth) as truth:
        desk = Desk(
            args.lang,
            recordings,
            tuple(hold_music(6, seed) for seed in range(3)),
            wording.on_duty(args.seed),
            Knowledge.load(),
            truth,
            lambda agent: Speaker(args.lang, agent.voice, args.cache),
        )
        centre = VoiceCentre(desk, args.name, args.seed)
        address = await centre.start()
        waiting = args.port_file.with_suffix(".part")
        waiting.write_text(json.dumps({"address": address, "pid": os.getpid()}))
        waiting.replace(args.port_file)
        await stopped()
        await centre.stop()


def main() -> None:
    """Reads the options and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="voice")
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--recordings", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lang", choices=["zh", "en"], default="zh")
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
