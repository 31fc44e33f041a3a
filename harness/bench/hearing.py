"""How well and how cheaply the ear hears: stamp errors against the truth of synthesised calls, CPU per second."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from harness.bench.audio_centre import Call, Heard, listen, recordings, whole_call
from probes.hearing.ear import Ear
from probes.hearing.library import Library
from probes.session import Event

Errors = dict[str, list[float]]

NOISE = (0.0, 20.0, 60.0)  # RMS, by seed
GAIN = (1.0, 0.5, 1.3)


def hear(call: Call) -> list[Heard]:
    """Lets a fresh ear hear a call over a line whose noise and gain depend on the call's seed."""
    pcm = call.sound(noise=NOISE[call.seed % 3], gain=GAIN[call.seed // 3 % 3])
    return listen(Ear(Library(list(recordings(call.lang)))), pcm)


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
