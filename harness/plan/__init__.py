"""The plan: which attempts, when and why so many; drawn up from a seed before the first of them.

``format: 1`` has two forms: ``attempts`` lists what is due at once; ``window``, ``strata``, ``size`` and ``mix`` say
how a sample is drawn over days and hours.
"""

from harness.plan.attempt import PlannedAttempt
from harness.plan.immediate import expand
from harness.plan.loading import LoadedPlan, load_plan
from harness.plan.model import AtOnce, Plan, PlanLimits, Replace, Stratum, TimedStratum
from harness.plan.replacing import replacement
from harness.plan.schedule import draw_up

__all__ = [
    "AtOnce",
    "LoadedPlan",
    "Plan",
    "PlanLimits",
    "PlannedAttempt",
    "Replace",
    "Stratum",
    "TimedStratum",
    "draw_up",
    "expand",
    "load_plan",
    "replacement",
]
