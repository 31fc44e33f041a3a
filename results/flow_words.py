"""The words of the flow table, in Chinese and English."""

from __future__ import annotations

from results.flow_table import FlowTable, Loss, Stage
from results.reasons import in_words
from results.words import OUTCOMES, label
from scenarios.model import Lang, Text


def _t(zh: str, en: str) -> Text:
    return Text(zh=zh, en=en)


STAGES = {
    "planned": _t("计划", "planned"),
    "due": _t("到时", "due"),
    "dispatched": _t("已派发", "dispatched"),
    "connected": _t("接通中心", "connected"),
    "valid": _t("接通且有效", "connected and valid"),
    "scored": _t("计分", "scored"),
}

LOSSES = {
    "to_come": _t("尚未到时", "still to come"),
    "waiting": _t("等待轮到", "waiting for its turn"),
    "paused": _t("已暂停", "paused"),
    "overdue": _t("时段已过，待登记", "window over, not yet noted"),
    "under_way": _t("进行中", "under way"),
    "not_yet_scored": _t("尚未评分", "not scored yet"),
    "needs_review": _t("待人工复核", "needs review"),
    "no_indicator": _t("无计分指标", "no indicator counts it"),
} | OUTCOMES

REASONS = 3  # of one kind of loss, so many are shown one by one


def losses_at(flow: FlowTable, stage: Stage, lang: Lang) -> list[tuple[str, str, int, bool]]:
    """Returns why attempts did not reach ``stage``: kind, reason (or empty), count, and whether they still may.

    Of each kind the most frequent reasons stand alone; the rest are one row, so that the rows still add up.
    """
    kinds: dict[str, list[Loss]] = {}
    for loss in flow.at_stage(stage):
        kinds.setdefault(loss.kind, []).append(loss)
    rows = []
    for kind, losses in kinds.items():
        name = LOSSES[kind].in_(lang)
        shown = losses if len(losses) <= REASONS else losses[: REASONS - 1]
        rows += [(name, in_words(loss.reason, lang), loss.n, loss.pending) for loss in shown]
        if rest := losses[len(shown) :]:
            others = label("other_reasons", lang, n=len(rest))
            rows.append((name, others, sum(loss.n for loss in rest), rest[0].pending))
    return rows


def planned(flow: FlowTable, lang: Lang) -> str:
    """Returns how many attempts the plan drew up and how many stand in the place of others."""
    return label("by_plan", lang, plan=flow.by_plan, more=flow.replacements)
