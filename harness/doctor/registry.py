"""All checks, in the order in which they are shown: the machine, its network, the files, the lines."""

from __future__ import annotations

from harness.doctor import packages, sip
from harness.doctor.audit import Audit
from harness.doctor.check import Check


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of an audit."""
    stack = sip.SipStack()
    return [
        *packages.checks(),
        *sip.checks(audit, stack),
    ]
