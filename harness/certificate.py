"""Calibration certificates: made from runs against the sandbox, kept for this user, handed to every run.

The certificate in force is ``contact-centre-shopper/calibration/certificate.json`` in the user's data folder
(``XDG_DATA_HOME``, else ``~/.local/share``); ``certificate.txt`` beside it says the same to people.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from harness.version import versions
from probes.hearing.version import HEARING_VERSION
from results.certificate import INSTANTS, Certificate, Condition, Figure, Machine, Series, as_text
from results.run_folder import RunFolder
from results.whole_file import write, writing

if TYPE_CHECKING:  # it brings scipy: every run imports this module, and nobody needs that while calls are placed
    from harness.calibration import Error, Pair

JSON, TEXT = "certificate.json", "certificate.txt"
SIGNALS = {"ringing": "ringing", "answered": "connected"}  # truth event -> event of the session


def home() -> Path:
    """Returns the folder of the certificate in force."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "contact-centre-shopper" / "calibration"


def in_force(folder: Path | None = None) -> Certificate | None:
    """Returns the certificate in force; None if there is none that can be read: no run is refused for it."""
    try:
        return Certificate.model_validate_json(((folder or home()) / JSON).read_bytes())
    except (OSError, ValidationError):
        return None


def hand_to(folder: RunFolder) -> None:
    """Copies the certificate in force into a run that begins; does nothing if there is none."""
    certificate = in_force()
    if certificate is not None:
        folder.write_certificate(certificate)


def save(certificate: Certificate, folder: Path) -> tuple[Path, Path]:
    """Writes a certificate, for programs and for people, and returns both files.

    Raises:
        FolderUnwritable: the folder cannot be made or written to.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return (
        write(folder / JSON, certificate.model_dump_json(indent=2)),
        write(folder / TEXT, as_text(certificate)),
    )


def make(series: Iterable[Series], made: datetime) -> Certificate:
    """Makes the certificate of this machine."""
    return Certificate(
        made_utc=made, hearing=HEARING_VERSION, versions=versions(), machine=machine(), series=tuple(series)
    )


def machine() -> Machine:
    """Describes this machine; its name stays out."""
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 1,
        kernel=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=platform.python_version(),
    )


def _cpu(listing: Path = Path("/proc/cpuinfo")) -> str:
    with suppress(OSError):
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def compare(folder: RunFolder, condition: Condition, load: float) -> Series:
    """Holds a run against the sandbox's truth log: its sessions as the measuring pass that counts heard them.

    Args:
        folder: the run.
        condition: what was meant to be at work beside it.
        load: the load average before, for each core.
    """
    from harness.calibration import pair

    pairs = pair(folder.measured(), folder.sandbox / "truth.jsonl")
    kinds = [one.session.attempt.channel for one in pairs]
    heard = [event for one in pairs if one.session.attempt.channel == "voice" for event in one.session.timeline]
    return Series(
        condition=condition,
        run=folder.id,
        calls=kinds.count("voice"),
        chats=kinds.count("chat"),
        load=round(load, 2),
        stalls=sum(event.kind == "stall" for event in heard),
        figures={id_: Figure.of([error.error_s for error in errors]) for id_, errors in errors_of(pairs).items()},
    )


def errors_of(pairs: Sequence[Pair]) -> dict[str, list[Error]]:
    """Lists the errors of every instant that a certificate names."""
    from harness.calibration import instant_errors, reply_errors

    voice = [one for one in pairs if one.session.attempt.channel == "voice"]
    found: dict[str, list[Error]] = {id_: [] for id_ in INSTANTS}
    for one in voice:
        found["signalling"] += [_nearest(one, truth, kind) for truth, kind in SIGNALS.items() if one.first(truth)]
        if one.first("ringback"):
            found["ringback"].append(_nearest(one, "ringback", "tone", name="ringback"))
    for error in instant_errors(voice):
        found[error.instant].append(error)
    found["chat_reply"] = reply_errors(pairs)
    return found


def _nearest(one: Pair, truth: str, kind: str, **data: str) -> Error:
    """Compares the first truth event with the event of that kind which lies nearest to it."""
    from harness.calibration import Error

    row = one.first(truth)
    assert row is not None
    away = [
        one.session.anchor_monotonic + event.t - row["t_mono"]
        for event in one.session.timeline
        if event.kind == kind and data.items() <= event.data.items()
    ]
    return Error(one.session.attempt.id, truth, min(away, key=abs, default=float("nan")))
