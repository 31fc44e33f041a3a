"""Permission for one scenario on one entry: every check by name, at plan time and again at the instant of dialling.

The same checks refuse (:func:`permit`) and explain (:func:`examine`), so that what is explained is what is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from harness import policy
from harness.authorisation import Authorisation
from harness.refusal import Refusal, insist
from probes.address import host_of, is_loopback
from probes.chat.api.interface import load_interface
from probes.speaking import provenance
from probes.speaking.lines import spoken_lines
from probes.target import Chat, Line, Target
from scenarios.errors import InputError
from scenarios.model import ChannelKind, Scenario

CheckName = Literal[
    "number", "url", "trunk", "identity", "authorisation", "signature", "validity", "recording", "hours", "voice"
]


@dataclass(frozen=True)
class Check:
    """One question that was asked, and the refusal if the answer is no."""

    name: CheckName
    refusal: Refusal | None = None


@dataclass(frozen=True)
class WayOut:
    """As whom a line calls, and through which hosts besides the number's own."""

    caller: str | None
    hosts: tuple[str, ...]


def way_out(target: Target, line: Line) -> WayOut:
    """Returns how calls to ``line`` leave; a line with neither trunk nor account names no caller."""
    trunk = target.trunk_of(line)
    asked = (f"sip:{server}" for server in trunk.nat.stun)
    named = line.trunk is not None or line.account is not None
    return WayOut(trunk.uri if named else None, (*filter(None, (trunk.registrar, trunk.proxy)), *asked))


def permit(
    target: Target,
    folder: Path,
    channel: ChannelKind,
    entry: str,
    scenario: Scenario,
    authorisation: Authorisation | None,
    now: datetime,
) -> None:
    """Asks the policy about one scenario on one entry.

    Args:
        target: where the entry is.
        folder: that the target's relative paths start from.
        channel: voice or chat.
        entry: the target's line or chat.
        scenario: what would be said.
        authorisation: the client's permission; None reaches this machine only.
        now: an aware datetime.

    Raises:
        PolicyRefused: it may not be reached, or not now, or not with the voice we would speak with.
    """
    for check in examine(target, folder, channel, entry, scenario, authorisation, now):
        insist(check.refusal)


def examine(
    target: Target,
    folder: Path,
    channel: ChannelKind,
    entry: str,
    scenario: Scenario,
    authorisation: Authorisation | None,
    now: datetime,
) -> Iterator[Check]:
    """Yields every check that applies, as :func:`permit` makes them; on this machine only the address is looked at."""
    if channel == "chat":
        for url in addresses_of(target.chats[entry], folder):
            odd = policy.no_page(url)
            if odd is not None or policy.is_local_page(url):
                yield Check("url", odd)
                continue
            yield from _signed(url, authorisation, now)
            if authorisation is not None:
                yield Check("url", policy.unnamed_page(url, authorisation))
        return
    line = target.lines[entry]
    out = way_out(target, line)
    odd = policy.never(line.uri)
    if odd is not None or not leaves(line, out):
        yield Check("number", odd)
        return
    yield from _signed(line.uri, authorisation, now)
    if authorisation is not None:
        yield Check("number", policy.unnamed_number(line.uri, authorisation))
        yield Check("trunk", _foreign_host(line, out, authorisation))
        yield Check("identity", policy.not_ours(out.caller, authorisation))
        yield Check("voice", None if authorisation.tts_consent else _unrecorded(target, folder, line, scenario))


def addresses_of(chat: Chat, folder: Path) -> tuple[str, ...]:
    """Returns every address that a chat may open: its page, or what its interface leads to, each once.

    Raises:
        TargetError: the interface's profile is wrong.
    """
    if chat.api is None:
        return (chat.url,)
    return tuple(dict.fromkeys(load_interface(chat.api, folder).addresses(chat.url).values()))


def leaves(line: Line, out: WayOut) -> bool:
    """Says whether anything of a call to ``line`` may go beyond this machine."""
    uris = (line.uri, *out.hosts)
    return any(policy.no_trunk(uri) for uri in out.hosts) or not all(is_loopback(host_of(uri)) for uri in uris)


def _signed(what: str, authorisation: Authorisation | None, now: datetime) -> Iterator[Check]:
    if authorisation is None:
        yield Check("authorisation", policy.ungiven(what))
        return
    yield Check("signature", authorisation.unsigned(now))
    yield Check("validity", authorisation.out_of_date(now))
    yield Check("recording", authorisation.unrecorded())
    yield Check("hours", authorisation.closed(now))


def _foreign_host(line: Line, out: WayOut, authorisation: Authorisation) -> Refusal | None:
    """Says which host of the call's way is neither this machine nor one of our own lines."""
    for uri in (line.uri, *out.hosts):
        refusal = None if uri is line.uri else policy.no_trunk(uri)
        if refusal is None and not is_loopback(host_of(uri)):
            refusal = policy.unnamed_host(uri, authorisation)
        if refusal is not None:
            return refusal
    return None


def _speaks(wav: Path, texts: tuple[str, ...]) -> bool:
    """Whether a person's recording of these words is there: no draft, no other words."""
    if not wav.is_file():
        return False
    try:
        provenance.check(wav, *texts)
    except InputError:
        return False
    return True


def _unrecorded(target: Target, folder: Path, line: Line, scenario: Scenario) -> Refusal | None:
    """Says which lines of the script a synthetic voice would have to speak."""
    recorded = folder / (target.recordings or "recordings") / scenario.id
    lines = [step.ask.id for step in scenario.steps_on("voice") if step.ask] + ["farewell"]
    lines += ["to-human"] if any(way.say for way in line.to_human) else []
    texts = {spoken.line: spoken.texts for spoken in spoken_lines(scenario, target)}
    missing = [f"{recorded / name}.wav" for name in lines if not _speaks(recorded / f"{name}.wav", texts.get(name, ()))]
    if not missing:
        return None
    return Refusal.of(
        f"A synthetic voice may not speak to this centre, and {len(missing)} lines are not recorded "
        f"(the first: {missing[0]}).",
        f"被测机构未同意使用合成语音，且有 {len(missing)} 句没有录音（第一句：{missing[0]}）。",
        "record them, or have the client sign tts_consent.",
        "请录制这些语句，或请被测机构签署 tts_consent。",
    )
