"""With what voice we speak: our own recorded lines, or a synthetic voice where that is permitted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.doctor.audit import Audit
from harness.doctor.check import Check
from harness.doctor.finding import Figure, Finding, State, of_error, ok, skipped
from harness.permission import leaves, way_out
from probes.hearing.wav import read_wav
from probes.speaking import espeak
from probes.target import Line
from probes.target_file import LoadedTarget
from scenarios.errors import InputError
from scenarios.model import Scenario, Text

RECORD = Text(
    zh="录成 8 kHz 单声道 16 位 WAV 放到那里，或请被测机构在授权书里签 tts_consent",
    en="record it there as WAV, 8 kHz mono 16 bit, or have the client sign tts_consent",
)


def checks(audit: Audit) -> list[Check]:
    """Returns the check of the voices."""

    async def voices() -> Finding:
        return _voices(audit)

    return [Check("voices", Text(zh="我方语音", en="our voice"), voices)]


def _voices(audit: Audit) -> Finding:
    target = audit.readable_target
    pairs = sorted({(a.entry, a.scenario) for a in audit.planned if a.channel == "voice"})
    if target is None or not pairs:
        return skipped("要有 --target 和带电话的 --plan", "wants --target and a --plan with calls")
    consent = audit.permission is not None and audit.permission.tts_consent
    wanted: dict[Path, bool] = {}  # the recording, and whether a synthetic voice may speak in its place
    for entry, name in pairs:
        line = target.target.lines[entry]
        may = consent or not leaves(line, way_out(target.target, line))
        for path in _recordings(target, line, audit.scenario(name)):
            wanted[path] = wanted.get(path, True) and may
    there = [path for path in wanted if path.is_file()]
    for path in there:
        try:
            if not len(espeak.trim(read_wav(path))):
                raise InputError("this recording is silent", file=path)
        except InputError as error:
            return of_error(error, RECORD)
    missing = [path for path, may in wanted.items() if not may and path not in there]
    figures: dict[str, Figure] = {"lines": len(wanted), "recorded": len(there), "missing": len(missing)}
    if missing:
        found = Text(
            zh=f"{len(missing)} 句没有录音，又不许用合成语音；第一句 {missing[0]}",
            en=f"{len(missing)} lines are not recorded and no synthetic voice is permitted; the first: {missing[0]}",
        )
        return Finding(State.FAIL, found, RECORD, figures, exit_code=3)
    return ok(
        f"{len(wanted)} 句：{len(there)} 句录音，{len(wanted) - len(there)} 句合成",
        f"{len(wanted)} lines: {len(there)} recorded, {len(wanted) - len(there)} synthetic",
        **figures,
    )


def _recordings(target: LoadedTarget, line: Line, scenario: Scenario) -> Iterator[Path]:
    """Yields where the recording of each line of a script is looked for."""
    folder = target.folder / (target.target.recordings or "recordings") / scenario.id
    names = [step.ask.id for step in scenario.steps_on("voice") if step.ask] + ["farewell"]
    if any(way.say for way in line.to_human):
        names.append("to-human")
    yield from (folder / f"{name}.wav" for name in names)
