"""A campaign's status in Prometheus' text form, for its textfile collector. Names: docs/campaigns.md."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from harness.ledger.rows import Wanted
from harness.status import Status
from results.flow_table import STAGES

PREFIX = "shopper_campaign_"


def text(status: Status) -> str:
    """Returns all metrics of one campaign. Reasons are not in it: they would make a series of each sentence."""
    registry = CollectorRegistry()
    registry.register(_Campaign(status))
    return generate_latest(registry).decode()


class _Campaign(Collector):
    def __init__(self, status: Status) -> None:
        self.status = status

    def collect(self) -> Iterator[Metric]:
        yield from self._state()
        yield from self._flow()
        yield from self._entries()

    def _gauge(self, name: str, about: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(PREFIX + name, about, labels=("campaign", *labels))

    def _state(self) -> Iterator[Metric]:
        status, campaign = self.status, self.status.campaign
        info = self._gauge("info", "Always 1; what the campaign is.", "name", "plan_sha256")
        info.add_metric([campaign.id, campaign.name, campaign.plan_sha256], 1)
        yield info
        wanted = self._gauge("wanted", "1 for what the campaign is meant to do, 0 for the rest.", "wanted")
        for each in Wanted:
            wanted.add_metric([campaign.id, each], each is campaign.wanted)
        yield wanted
        alive = self._gauge("runner_alive", "Whether a runner is at work; absent if it is on another machine.")
        if status.alive is not None:
            alive.add_metric([campaign.id], status.alive)
        yield alive
        at = self._gauge("status_timestamp_seconds", "When this was read from the ledger.")
        at.add_metric([campaign.id], status.now.timestamp())
        yield at
        due = self._gauge("next_due_timestamp_seconds", "When the next attempt is due; absent if none is left.")
        if status.next:
            due.add_metric([campaign.id], status.next[0].due.timestamp())
        yield due
        pauses = self._gauge("paused", "1 for each pause in force; entry is empty for the whole campaign.", "entry")
        entries = {pause.entry or "" for pause in status.pauses}
        for entry in sorted(entries | ({""} if campaign.wanted is Wanted.PAUSED else set())):
            pauses.add_metric([campaign.id, entry], 1)
        yield pauses
        deviations = self._gauge("deviations", "Signed changes of the frozen plan.")
        deviations.add_metric([campaign.id], len(status.deviations))
        yield deviations
        used = self._gauge("ceiling_used", "How much of a ceiling is used: attempts, minutes or money.", "ceiling")
        limit = self._gauge("ceiling", "The ceiling itself.", "ceiling")
        for usage in status.usage:
            used.add_metric([campaign.id, usage.name], usage.used)
            limit.add_metric([campaign.id, usage.name], usage.ceiling)
        yield used
        yield limit

    def _flow(self) -> Iterator[Metric]:
        campaign, flow = self.status.campaign.id, self.status.flow
        reached = self._gauge("flow", "Attempts that reached a stage of the flow table.", "stage")
        lost = self._gauge("flow_losses", "Attempts that did not reach it, by kind of loss.", "stage", "kind")
        for stage in STAGES:
            reached.add_metric([campaign, stage], flow.counts[stage])
            kinds: dict[str, int] = {}
            for loss in flow.at_stage(stage):
                kinds[loss.kind] = kinds.get(loss.kind, 0) + loss.n
            for kind, n in kinds.items():
                lost.add_metric([campaign, stage, kind], n)
        yield reached
        yield lost

    def _entries(self) -> Iterator[Metric]:
        campaign = self.status.campaign.id
        by_outcome = CounterMetricFamily(
            PREFIX + "ended", "Attempts that have ended.", labels=("campaign", "entry", "outcome")
        )
        seconds = CounterMetricFamily(
            PREFIX + "session_seconds", "Seconds that ended attempts lasted.", labels=("campaign", "entry")
        )
        cost = CounterMetricFamily(
            PREFIX + "cost", "What ended attempts cost, in the authorisation's currency.", labels=("campaign", "entry")
        )
        left = self._gauge("left", "Attempts that have not begun.", "entry")
        under_way = self._gauge("under_way", "Attempts that are under way.", "entry")
        for entry in self.status.entries:
            for outcome, n in entry.outcomes.items():
                by_outcome.add_metric([campaign, entry.name, outcome], n)
            seconds.add_metric([campaign, entry.name], entry.seconds)
            cost.add_metric([campaign, entry.name], entry.cost)
            left.add_metric([campaign, entry.name], entry.left)
            under_way.add_metric([campaign, entry.name], entry.under_way)
        yield from (by_outcome, seconds, cost, left, under_way)
