"""A process that claims and ends what is due: ``python -m tests.ledger_process URL CAMPAIGN AT_MOST DIE_AFTER``.

It prints each attempt that it has claimed, one a line, after the claim is on the disk, and ends after AT_MOST of them.
It kills itself with SIGKILL inside the transaction of the claim after DIE_AFTER.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from harness.ledger.ledger import Ledger
from harness.ledger.rows import Ceilings, Claimed, Lease
from tests.ledger_rows import T0, after


def main(url: str, campaign: str, at_most: int, die_after: int) -> None:
    """Works until nothing is due, or it has done its share."""
    ledger = Ledger(url)
    epoch = ledger.campaign(campaign).epoch
    lease = Lease(campaign, epoch, "several")  # several processes under one lease: as unsafe as it gets
    claimed = 0
    print("ready", flush=True)
    sys.stdin.readline()
    while claimed < at_most and (due := ledger.due(campaign, T0, limit=8)):
        for row in due:
            if claimed == die_after:
                event.listen(ledger._database.engine, "commit", _die)
            if ledger.claim(lease, row.id, T0, Ceilings(at_once=1000)) == Claimed():
                claimed += 1
                print(row.id, flush=True)
                ledger.end(campaign, row.id, "RESOLVED", str(os.getpid()), after(1))
    ledger.close()


def _die(_connection: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
