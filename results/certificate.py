"""The calibration certificate of a run: how far the instants of a machine lie from known ones, and whether it counts.

``shopper calibrate`` makes it (:mod:`harness.certificate`), each run keeps the one that was in force when it began, and
report and summary quote it, or say that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from probes.session import Record
from scenarios.model import Lang, Text

if TYPE_CHECKING:
    from results.run_folder import RunFolder

Condition = Literal["idle", "busy"]
COVERAGE = 2.0  # k: about 95 % of what is measured lies within U, if errors are about normal

INSTANTS = {
    "signalling": Text(zh="信令（振铃、接通）", en="signalling (ringing, 200 OK)"),
    "ringback": Text(zh="回铃音开始", en="ringback begins"),
    "queue": Text(zh="进入排队", en="queue entry"),
    "answer": Text(zh="坐席接通", en="agent connected"),
    "first_word": Text(zh="坐席首句", en="agent's first word"),
    "chat_reply": Text(zh="在线回复", en="chat reply"),
}
CONDITIONS = {"idle": Text(zh="空闲", en="idle"), "busy": Text(zh="CPU 满载", en="CPU fully loaded")}
CURE = Text(zh="请运行 shopper calibrate", en="run `shopper calibrate`")
MISSING = Text(
    zh="没有校准证书：各时刻的误差未知。",
    en="There is no calibration certificate: the error of the instants is unknown.",
)
OLDER = Text(
    zh="校准证书过时：证书为听音版本 {old}，本次测量为版本 {new}，下列误差不适用。",
    en="The calibration certificate is out of date: it is of hearing version {old}, this was measured with version "
    "{new}; the errors below do not hold for it.",
)


class Figure(Record):
    """The errors of one instant, seconds, measured minus true. None where there were too few to tell."""

    n: int = Field(ge=0, description="instants that were found")
    missed: int = Field(ge=0, description="instants that were not")
    bias_s: float | None = None
    sd_s: float | None = None
    max_s: float | None = Field(default=None, description="largest error, without its sign")
    expanded_s: float | None = Field(default=None, description="U = k * sqrt(bias^2 + sd^2)")

    @classmethod
    def of(cls, errors: Sequence[float]) -> Figure:
        """Computes the figures; NaN is an instant that was not found. Two at least have a spread."""
        found = [error for error in errors if not math.isnan(error)]
        n = len(found)
        if not n:
            return cls(n=0, missed=len(errors))
        bias, largest = math.fsum(found) / n, max(map(abs, found))
        sd = math.sqrt(math.fsum((error - bias) ** 2 for error in found) / (n - 1)) if n > 1 else None
        return cls(
            n=n,
            missed=len(errors) - n,
            bias_s=round(bias, 6),
            sd_s=None if sd is None else round(sd, 6),
            max_s=round(largest, 6),
            expanded_s=None if sd is None else round(COVERAGE * math.hypot(bias, sd), 6),
        )


class Series(Record):
    """The errors under one condition. ``run`` is the run they come from."""

    condition: Condition
    run: str
    calls: int
    chats: int
    load: float = Field(ge=0, description="load average of the minute before, for each core: others at work")
    stalls: int = Field(ge=0, description="times this machine's audio clock stood still")
    figures: dict[str, Figure]


class Machine(Record):
    """What was calibrated, without the name of its host."""

    cpu: str
    cores: int
    kernel: str
    python: str


class Certificate(Record):
    """All that is known of the errors of one machine with one version of the hearing."""

    format: Literal[1] = 1
    made_utc: datetime
    hearing: int = Field(description="version of the hearing that was calibrated")
    k: float = COVERAGE
    versions: dict[str, str]
    machine: Machine
    series: tuple[Series, ...]


@dataclass(frozen=True)
class Quoted:
    """The certificate of a run as it is quoted, and what is wrong with it."""

    certificate: Certificate | None
    hearing: int  # the version that the run was heard with

    @property
    def fault(self) -> Text | None:
        """What must be said in red; None if the certificate holds."""
        if self.certificate is None:
            return Text(zh=f"{MISSING.zh}{CURE.zh}。", en=f"{MISSING.en} To make one, {CURE.en}.")
        old, new = self.certificate.hearing, self.hearing
        if old < new:
            zh, en = OLDER.zh.format(old=old, new=new), OLDER.en.format(old=old, new=new)
            return Text(zh=f"{zh}{CURE.zh}。", en=f"{en} To make a new one, {CURE.en}.")
        return None

    def rows(self, lang: Lang) -> list[tuple[str, str, str, str, str, str]]:
        """Returns instant, condition, n (and how many were missed), bias ± U, spread, largest error."""
        series = () if self.certificate is None else self.certificate.series
        return [_row(id_, one, lang) for one in series for id_ in INSTANTS if id_ in one.figures]

    def conditions(self, lang: Lang) -> list[str]:
        """Returns a sentence for each series: how much was measured, and what else the machine did."""
        series = () if self.certificate is None else self.certificate.series
        words = Text(
            zh="{condition}：通话 {calls} 次，在线 {chats} 次；开始前每核负载 {load:.2f}，音频停顿 {stalls} 次",
            en="{condition}: {calls} calls, {chats} chats; load a core before {load:.2f}; audio stalls: {stalls}",
        ).in_(lang)
        return [
            words.format(
                condition=CONDITIONS[one.condition].in_(lang), calls=one.calls, chats=one.chats,
                load=one.load, stalls=one.stalls,
            )
            for one in series
        ]  # fmt: skip

    def about(self, lang: Lang) -> str:
        """Returns when, on what, and with which version it was made; empty if there is none."""
        if self.certificate is None:
            return ""
        one, machine = self.certificate, self.certificate.machine
        made = f"{one.made_utc.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        heard = Text(zh=f"听音版本 {one.hearing}", en=f"hearing version {one.hearing}").in_(lang)
        cores = Text(zh=f"{machine.cores} 核", en=f"{machine.cores} cores").in_(lang)
        return f"{made} · {heard} · {machine.cpu}, {cores} · {machine.kernel} · Python {machine.python}"


def quoted(folder: RunFolder) -> Quoted:
    """Returns what a run has to say about its calibration.

    Raises:
        RunError: its copy of the certificate, or its list of measuring passes, is damaged.
    """
    passes = folder.hearings().passes
    return Quoted(folder.read_certificate(), passes[-1].hearing if passes else 1)


def _row(id_: str, series: Series, lang: Lang) -> tuple[str, str, str, str, str, str]:
    figure = series.figures[id_]
    missed = Text(zh=f"，未测得 {figure.missed}", en=f", {figure.missed} missed").in_(lang) if figure.missed else ""
    bias = (
        "–"
        if figure.bias_s is None
        else f"{milliseconds(figure.bias_s, sign=True)} ± {milliseconds(figure.expanded_s)}"
    )
    return (
        INSTANTS[id_].in_(lang),
        CONDITIONS[series.condition].in_(lang),
        f"{figure.n}{missed}",
        bias,
        milliseconds(figure.sd_s),
        milliseconds(figure.max_s),
    )


def milliseconds(seconds: float | None, *, sign: bool = False) -> str:
    """Writes seconds as milliseconds: tenths below ten, none above."""
    if seconds is None:
        return "?"
    ms = 1000 * seconds
    return f"{ms:{'+' if sign else ''}.{1 if abs(ms) < 10 else 0}f}".replace("-", "−")


def as_text(certificate: Certificate) -> str:
    """Returns the certificate for people, in both languages."""
    shown = Quoted(certificate, certificate.hearing)
    lines = ["校准证书 / Calibration certificate", ""]
    lines += [f"{name} {version}" for name, version in certificate.versions.items()]
    for lang in ("zh", "en"):
        lines += ["", shown.about(lang), *shown.conditions(lang), *NOTES.in_(lang).splitlines(), ""]
        heads = [head.in_(lang) for head in HEADS]
        lines += [
            "  ".join(f"{head}: {value}" for head, value in zip(heads, row, strict=True)) for row in shown.rows(lang)
        ]
    return "\n".join(lines) + "\n"


HEADS = (
    Text(zh="时刻", en="instant"),
    Text(zh="条件", en="condition"),
    Text(zh="n", en="n"),
    Text(zh="偏差 ± U（毫秒）", en="bias ± U (ms)"),
    Text(zh="标准差", en="sd"),
    Text(zh="最大", en="max"),
)
NOTES = Text(
    zh="误差 = 测得 − 沙箱真值。U = 2·√(偏差² + 标准差²)，k = 2。以本机内置沙箱的合成语音测得；真实线路可能不同。",
    en="Error = measured minus what the sandbox did. U = 2·sqrt(bias² + sd²), k = 2. Found on this machine, with the "
    "sandbox's synthetic voices; a real line may differ.",
)
TITLE = Text(zh="校准证书", en="Calibration certificate")
