"""How well and how cheaply the ear hears: stamp errors against the truth of synthesised calls, CPU per second.

``python -m harness.bench.hearing`` prints what each part of the ear costs, and the voice detector for several calls at
once. The figures follow the speed of the machine at the time: compare two versions by turns, and by the least of each.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any
from unittest.mock import patch

import numpy as np

from harness.bench.audio_centre import Call, Heard, listen, recordings, whole_call
from probes.hearing.ear import Ear
from probes.hearing.library import Library
from probes.hearing.line import LineNoise
from probes.hearing.music import Music
from probes.hearing.prompts import Prompts
from probes.hearing.tones import Tones
from probes.hearing.turns import Turns
from probes.hearing.voice_activity import VoiceActivity, ask
from probes.hearing.wav import RATE, Pcm
from probes.session import Event

Errors = dict[str, list[float]]

NOISE = (0.0, 20.0, 60.0)  # RMS, by seed
GAIN = (1.0, 0.5, 1.3)


PARTS: dict[type, str] = {
    VoiceActivity: "push",
    Prompts: "push",
    Tones: "push",
    LineNoise: "push",
    Music: "push",
    Turns: "hear",
}
_BLOCK, _CHUNK = 800, 1536  # samples: as live audio comes; as the ear works on it


def sound_of(call: Call) -> Pcm:
    """Returns a call over a line whose noise and gain depend on the call's seed."""
    return call.sound(noise=NOISE[call.seed % 3], gain=GAIN[call.seed // 3 % 3])


def hear(call: Call) -> list[Heard]:
    """Lets a fresh ear hear a call, see :func:`sound_of`."""
    return listen(Ear(Library(list(recordings(call.lang)))), sound_of(call))


def hear_at(call: Call, snr: float) -> list[Heard]:
    """Lets a fresh ear hear a call under white noise ``snr`` dB below the level of its speech, from end to end."""
    whole = call.sound().astype(np.float64)
    spoken = [whole[round(t.start * RATE) : round(t.end * RATE)] for t in (*call.of("prompt"), *call.of("agent"))]
    frames = np.concatenate(spoken)
    level = np.sqrt(np.mean(frames[: len(frames) // 160 * 160].reshape(-1, 160) ** 2, axis=1))
    active = float(np.sqrt(np.mean(level[level > level.max() / 16] ** 2)))
    return listen(Ear(Library(list(recordings(call.lang)))), call.sound(noise=active / 10 ** (snr / 20)))


def compare(call: Call, heard: Iterable[Heard]) -> tuple[Errors, list[str]]:
    """Compares what was heard with what was played.

    Returns:
        The errors in seconds, by kind (``x``: stamp, ``x latency``: from the true instant to when it was known), and
        one line for each kind of which not the right number of events was heard, or not the right recordings.
    """
    heard = list(heard)
    errors: Errors = defaultdict(list)
    wrong = []
    for kind, truth, last in (
        ("prompt", "prompt", False),
        ("prompt_end", "prompt", True),
        ("tone", "ringback", False),
        ("tone_end", "ringback", True),
        ("music", "music", False),
        ("music_end", "music", True),
        ("speech", "agent", False),
    ):
        got, want = [one for one in heard if one.event.kind == kind], call.of(truth)
        names = [w.name for w in want] if truth == "prompt" else []
        if len(got) != len(want) or (names and [one.event.data["id"] for one in got] != names):
            wrong.append(f"seed {call.seed}: {kind}: heard {[_brief(g.event) for g in got]}, played {want}")
            continue
        for one, played in zip(got, want, strict=True):
            instant = played.end if last else played.start
            errors[kind].append(one.event.t - instant)
            errors[f"{kind} latency"].append(one.at - instant)
    said = sorted([*call.of("prompt"), *call.of("agent")], key=lambda played: played.start)
    messages = [one for one in heard if one.event.kind == "message"]
    speakers = ["ivr" if played.kind == "prompt" else "agent" for played in said]
    if [one.event.data["speaker"] for one in messages] != speakers:
        wrong.append(f"seed {call.seed}: message: heard {[_brief(m.event) for m in messages]}, played {said}")
    else:
        for one, played in zip(messages, said, strict=True):
            errors["message"].append(one.event.t - played.start)
            errors["message end"].append(one.event.data["end"] - played.end)
            errors["message latency"].append(one.at - played.end)
    return errors, wrong


def _brief(event: Event) -> str:
    return f"{event.t:.2f} {event.data.get('id') or event.data.get('speaker') or ''}".strip()


def measure_hearing(calls: int = 12) -> dict[str, float]:
    """Hears ``calls`` synthesised calls, two Chinese ones to each English one.

    Returns:
        ``cpu_ms_per_s``: CPU of one ear per second of sound, ms; ``wrong``: kinds of events that were not all right,
        summed over the calls; and for each kind of event ``<kind>_p50_ms`` and ``<kind>_p95_ms`` of the absolute
        stamp error and ``<kind>_latency_p50_s``.
    """
    every: Errors = defaultdict(list)
    cpu = seconds = 0.0
    wrong = 0
    for seed in range(calls):
        call = whole_call(seed, "en" if seed % 3 == 2 else "zh")
        recordings(call.lang)
        begun = time.process_time()
        heard = hear(call)
        cpu += time.process_time() - begun
        seconds += call.seconds
        errors, faults = compare(call, heard)
        wrong += len(faults)
        for kind, values in errors.items():
            every[kind] += values
    result = {"cpu_ms_per_s": cpu / seconds * 1000, "seconds": seconds, "wrong": float(wrong)}
    for kind, values in every.items():
        name, size = kind.replace(" ", "_"), np.abs(values)
        if kind.endswith("latency"):
            result[f"{name}_p50_s"] = float(np.median(values))
        else:
            result[f"{name}_p50_ms"], result[f"{name}_p95_ms"] = (
                float(q) for q in np.percentile(size, (50, 95)) * 1000
            )
    return result


def measure_parts(calls: int = 6) -> dict[str, float]:
    """Returns the cost of the ear and of each of its parts, ms per second of sound, the least of three passes."""
    ready = [(call, sound_of(call)) for call in (whole_call(s, "en" if s % 3 == 2 else "zh") for s in range(calls))]
    libraries = {call.lang: Library(list(recordings(call.lang))) for call, _ in ready}
    seconds = sum(call.seconds for call, _ in ready)

    def once() -> dict[str, float]:
        spent: dict[str, float] = defaultdict(float)
        begun = time.process_time()
        for call, pcm in ready:
            listen(Ear(libraries[call.lang]), pcm, block=_BLOCK)
        spent["ear"] = time.process_time() - begun
        for part, name in PARTS.items():
            with patch.object(part, name, _timed(getattr(part, name), spent, part.__name__)):
                for call, pcm in ready:
                    listen(Ear(libraries[call.lang]), pcm, block=_BLOCK)
        return spent

    passes = [once() for _ in range(3)]
    return {name: min(spent[name] for spent in passes) / seconds * 1000 for name in passes[0]}


def _timed(does: Callable[..., Any], spent: dict[str, float], name: str) -> Callable[..., Any]:
    def timed(*args: Any, **more: Any) -> Any:
        begun = time.perf_counter()
        try:
            return does(*args, **more)
        finally:
            spent[name] += time.perf_counter() - begun

    return timed


def measure_together(calls: int) -> float:
    """Returns the cost of the voice detector, ms per second and call, when ``calls`` are asked about together."""
    sounds = [sound_of(whole_call(seed)) for seed in range(calls)]
    length = min(len(pcm) for pcm in sounds) // _CHUNK * _CHUNK
    least = np.inf
    for _ in range(3):
        voices = [VoiceActivity() for _ in sounds]
        begun = time.process_time()
        for first in range(0, length, _CHUNK):
            for voice, pcm in zip(voices, sounds, strict=True):
                voice.prepare(pcm[first : first + _CHUNK])
            ask(voices)
            for voice in voices:
                voice.finish()
        least = min(least, time.process_time() - begun)
    return least / calls / (length / RATE) * 1000


if __name__ == "__main__":
    for name, cost in measure_parts().items():
        sys.stdout.write(f"{name:<14}{cost:6.2f} ms per second of sound\n")
    for count in (1, 4, 16):
        sys.stdout.write(f"voice, {count:2} calls{measure_together(count):6.2f} ms per second of sound and call\n")
