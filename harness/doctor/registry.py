"""All checks, in the order in which they are shown: the machine, its disks, the papers, the way out, a trial."""

from __future__ import annotations

from harness.doctor import browser, clock, machine, network, packages, papers, registration, sip, storage, trial, voices
from harness.doctor.audit import Audit
from harness.doctor.check import Check


def checks(audit: Audit) -> list[Check]:
    """Returns the checks of an audit.

    Raises:
        InputError: an option makes no sense.
    """
    stack = sip.SipStack()
    return [
        *packages.checks(),
        *sip.checks(audit, stack),
        *machine.checks(audit),
        *clock.checks(audit),
        *browser.checks(audit),
        *storage.checks(audit),
        *papers.checks(audit),
        *voices.checks(audit),
        *network.checks(audit),
        *registration.checks(audit, stack),
        *trial.checks(audit, stack),
    ]
