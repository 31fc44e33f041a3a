"""The report: one HTML page that carries everything it needs and opens without a network.

Plotly's script is inside, and two lines that fit the curve to paper. Recordings are embedded while the page stays below
LIMIT_BYTES, after that they are linked. Personas and agents' names stay out of the text (:mod:`results.redaction`).
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from probes.session import Session
from results import flow_table, flow_words, words
from results.certificate import HEADS, NOTES, TITLE, quoted
from results.curves import figure
from results.flow_table import FlowTable
from results.reasons import in_words
from results.recording import web_wav
from results.redaction import Mask
from results.run_folder import PlanChange, RunFolder, RunInfo
from results.storyline import Story, end_of, tell
from results.whole_file import write as write_whole
from scenarios.errors import RunError
from scenarios.model import Lang
from scoring.measures import MEASURES
from scoring.metrics import STAGES, Metrics
from scoring.scorecard import Scorecard
from scoring.statistics import Rate, Verdict
from scoring.statistics.waits import SEED, WHOLE

TEMPLATES = Path(__file__).parent / "templates"
LIMIT_BYTES = 25_000_000
CARDS = (
    "voice.connect_rate", "voice.service_level_20", "voice.answer_speed",
    "chat.handoff_success", "chat.first_response", "chat.handoff",
)  # fmt: skip
NEED_LIMIT = ("voice.connect_rate", "chat.handoff_success")
KINDS = {Verdict.PASS: "good", Verdict.FAIL: "bad", Verdict.OPEN: "open"}
OUTCOME_KINDS = {
    "ANSWERED": "good",
    "IVR_SERVED": "good",
    "LIMIT": "open",
    "CALLBACK": "open",
    "INVALID": "",
    "LOST": "",
}


def write(folder: RunFolder, lang: Lang = "zh") -> Path:
    """Writes the report of a run that has been scored, and returns its path.

    Raises:
        RunError: run.json, the metrics, the scorecard or a session is missing or damaged.
    """
    info, metrics, card = folder.info(), folder.read_metrics(), folder.read_scorecard()
    sessions = list(folder.measured())
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.filters["float"] = float
    curve = figure(metrics, lang)
    shown = {
        "lang": lang,
        "t": lambda key: words.label(key, lang),
        "css": Markup((TEMPLATES / "report.css").read_text("utf-8")),  # noqa: S704 - our own file
        "info": info,
        "metrics": metrics,
        "card": card,
        "period": _period(metrics),
        "scheme_text": words.scheme_text(card, lang),
        "versions": " · ".join(f"{name} {version}" for name, version in info.versions.items()),
        "cards": _cards(metrics, card, lang),
        "stages": STAGES,
        "stage_names": words.STAGES,
        "channels": words.CHANNELS,
        "campaign_flow": _campaign_flow(folder.read_flow(), sessions, lang),
        "deviations": _deviations(info.deviations),
        "unsigned": _unsigned(folder, info),
        "flow_losses": _losses(metrics, sessions, lang),
        "rates": _groups(metrics, card, lang, "rate"),
        "waits": _groups(metrics, card, lang, "wait"),
        "waits_note": words.label("waits_note", lang, seed=SEED, whole=WHOLE),
        "calibrated": quoted(folder),
        "calibration": {"title": TITLE, "heads": HEADS, "note": NOTES},
        "curve": Markup(curve) if curve else None,  # noqa: S704 - Plotly's own, of numbers and our labels
        "curve_text": words.curve_text,
        "points": words.points,
        "range_text": words.range_text,
        "value_text": words.value_text,
        "score_text": words.score_text,
        "span": words.span,
        "possible": lambda line: " / ".join(f"{float(k):.1f}" for k in line.possible),
        "kinds": KINDS,
        "verdicts": words.VERDICTS,
        "ranges": _ranges(card, lang),
        "sessions_note": _sessions_note(metrics, lang),
        "outcome_kind": lambda outcome: OUTCOME_KINDS.get(outcome, "bad"),
    }
    room = LIMIT_BYTES - len(curve or "") - 500_000 - 20_000 * len(sessions)
    page = environment.get_template("report.html.j2").render(**shown, stories=_stories(folder, sessions, lang, room))
    return write_whole(folder.report, page)


def _period(metrics: Metrics) -> str:
    first, last = metrics.first_utc[:16].replace("T", " "), metrics.last_utc[:16].replace("T", " ")
    return f"{first} – {last[11:] if first[:10] == last[:10] else last}" if first else "–"


def _cards(metrics: Metrics, card: Scorecard, lang: Lang) -> list[dict[str, Any]]:
    return [
        _card(metrics, card, lang, id_) for id_ in CARDS if MEASURES[id_].channel in metrics.channels
    ]  # fmt: skip


def _card(metrics: Metrics, card: Scorecard, lang: Lang, id_: str) -> dict[str, Any]:
    measure, found = MEASURES[id_], metrics.rate_or_wait(id_)
    shown: dict[str, Any] = {"name": measure.name.in_(lang), "unit": "", "verdict": None, "reference": ""}
    if measure.channel == "chat":
        shown["reference"] = words.label("reference", lang)
    if isinstance(found, Rate) and found.value is not None:
        how = f"{found.k}/{found.n} · 95 % {words.rate_span(found)}{_limit(metrics, id_)}"
        shown |= {"value": words.percent(found.value).removesuffix(" %"), "unit": "%", "how": how}
    elif found is not None and not isinstance(found, Rate):
        interval = "" if found.interval is None else f" · 95 % {words.wait_span(found)}"
        median, p95 = words.seconds(found.median), words.seconds(found.p95)
        how = f"n={found.n}{interval} · {words.label('median', lang)} {median} · p95 {p95}"
        shown |= {"value": words.seconds(found.mean), "unit": "s", "how": how}
    else:
        shown |= {"value": "–", "how": words.label("none", lang)}
    verdicts = [t.verdict for line in card.lines if line.metric == id_ for t in line.thresholds if t.verdict]
    if verdicts:
        shown["verdict"] = {"kind": KINDS[verdicts[0]], "text": words.VERDICTS[verdicts[0]].in_(lang)}
    return shown


def _limit(metrics: Metrics, id_: str) -> str:
    """The limit L: without it a rate of answered calls means nothing (domain 2.3)."""
    limits = metrics.channels[MEASURES[id_].channel].limits_s
    return f" · L={'/'.join(f'{limit:g}' for limit in limits)} s" if limits and id_ in NEED_LIMIT else ""


def _losses(metrics: Metrics, sessions: list[Session], lang: Lang) -> Any:
    masks = [Mask(session.persona) for session in sessions]

    def losses(channel: str, stage: str) -> list[dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        reasons: dict[str, list[str]] = defaultdict(list)
        for loss in metrics.channels[channel].flow.losses:
            if loss.stage != stage:
                continue
            title = words.OUTCOMES[loss.outcome].in_(lang)
            found.setdefault(loss.outcome, {"n": 0, "title": title})["n"] += loss.n
            reason = in_words(loss.reason, lang)
            for mask in masks:
                reason = mask(reason)
            if reason:
                reasons[loss.outcome].append(reason)
        return [row | {"reason": "；".join(reasons[outcome][:3])} for outcome, row in found.items()]

    return losses


def _campaign_flow(flow: FlowTable | None, sessions: list[Session], lang: Lang) -> dict[str, Any] | None:
    """The flow table of a campaign; of a run that is none, None."""
    if flow is None:
        return None
    masks = [Mask(session.persona) for session in sessions]
    stages = []
    for stage in flow_table.STAGES:
        losses = []
        for kind, reason, n, pending in flow_words.losses_at(flow, stage, lang):
            for mask in masks:
                reason = mask(reason)
            losses.append({"kind": kind, "reason": reason, "n": n, "pending": pending})
        stages.append({"name": flow_words.STAGES[stage].in_(lang), "n": flow.counts[stage], "losses": losses})
    return {"stages": stages, "planned": flow_words.planned(flow, lang), "at": _minute(flow.at)}


def _deviations(changes: Sequence[PlanChange]) -> list[dict[str, str]]:
    return [
        {"at": _minute(change.at), "by": change.by, "reason": change.reason,
         "old": change.old_sha256, "new": change.new_sha256}
        for change in changes
    ]  # fmt: skip


def _unsigned(folder: RunFolder, info: RunInfo) -> bool:
    """Whether the plan beside the report is none that was recorded."""
    known = {info.plan_sha256, *(sha for change in info.deviations for sha in (change.old_sha256, change.new_sha256))}
    return folder.plan.is_file() and hashlib.sha256(folder.plan.read_bytes()).hexdigest() not in known


def _minute(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _groups(metrics: Metrics, card: Scorecard, lang: Lang, kind: str) -> list[dict[str, Any]]:
    groups = []
    for channel, found in metrics.channels.items():
        items = found.rates if kind == "rate" else found.waits
        note = words.label("reference", lang) if channel == "chat" else ""
        rows = [_row(id_, item, card, lang) for id_, item in items.items()]
        groups.append({"name": words.CHANNELS[channel].in_(lang), "note": note, "rows": rows})
    return groups


def _row(id_: str, item: Any, card: Scorecard, lang: Lang) -> dict[str, Any]:
    measure = MEASURES[id_]
    row: dict[str, Any] = {
        "name": measure.name.in_(lang), "formula": measure.formula.in_(lang), "variant": measure.of is not None,
    }  # fmt: skip
    if not isinstance(item, Rate):
        return row | {
            "n": item.n, "mean": words.seconds(item.mean), "interval": words.wait_span(item),
            "median": words.seconds(item.median), "p95": words.seconds(item.p95),
        }  # fmt: skip
    target = next((t for line in card.lines if line.metric == id_ for t in line.thresholds if t.target), None)
    low, high = item.wilson
    return row | {
        "value": "–" if item.value is None else words.percent(item.value),
        "counts": f"{item.k}/{item.n}",
        "interval": words.rate_span(item),
        "missing": item.missing,
        "dot": None if item.value is None else round(100 * float(item.value), 2),
        "low": round(100 * low, 2),
        "width": round(100 * (high - low), 2),
        "target": None if target is None or target.target is None else float(100 * target.target),
        "quote": target.quote if target else "",
    }


def _ranges(card: Scorecard, lang: Lang) -> list[dict[str, Any]]:
    composite, title = card.composite, words.label("composite", lang)
    rows = [
        (f"{title} · {words.label('literal', lang)}", composite.literal),
        (f"{title} · {words.label('normalised', lang)}", composite.normalised),
        (words.label("boost", lang), composite.boost),
    ]
    return [
        {
            "name": name,
            "text": words.range_text(range_),
            "left": float(100 * range_.low / range_.full),
            "width": float(100 * (range_.high - range_.low) / range_.full),
        }
        for name, range_ in rows
    ]


def _sessions_note(metrics: Metrics, lang: Lang) -> str:
    review = sum(found.review for found in metrics.channels.values())
    note = words.label("sessions_note", lang)
    return f"{note} {words.label('review', lang, n=review)}" if review else note


def _stories(folder: RunFolder, sessions: list[Session], lang: Lang, room: int) -> list[Story]:
    scales: dict[str, float] = defaultdict(float)
    for session in sessions:
        scales[session.attempt.channel] = max(scales[session.attempt.channel], end_of(session))
    stories = []
    for session in sorted(sessions, key=lambda s: (s.attempt.channel != "voice", s.attempt.id)):
        story = tell(session, lang, scales[session.attempt.channel])
        room = _attach(folder, session, story, room)
        stories.append(story)
    return stories


def _attach(folder: RunFolder, session: Session, story: Story, room: int) -> int:
    """Embeds the recording if there is room, links the rest of the evidence, and returns the room that is left."""
    for item in session.evidence:
        path = folder.evidence(session, item)
        if not path.is_file():
            continue
        if item.kind == "recording" and not story.audio:
            try:
                data = base64.b64encode(web_wav(path)).decode()
            except RunError:
                data = ""
            if data and len(data) <= room:
                story.audio = "data:audio/wav;base64," + data
                room -= len(data)
                continue
        if item.kind in ("recording", "screenshot"):
            story.links.append((item.name, path.relative_to(folder.path).as_posix()))
    return room
