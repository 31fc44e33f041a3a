"""The ledger: one database, any number of campaigns, each attempt claimed at most once and ended exactly once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from harness.ledger.rows import (
    Attempt,
    Campaign,
    Ceilings,
    Claim,
    Deviation,
    Lease,
    NewAttempt,
    NewCampaign,
    Note,
    Pause,
    Wanted,
)


class Ledger:
    """SQLite by default; PostgreSQL by URL. Every method is one transaction, durable when it returns.

    Every method raises LedgerUnavailable when the database cannot be reached or written (stopped, disk full,
    read-only): nothing was changed, or the change is whole; ask again later. Times come in as arguments: the ledger
    has no clock of its own.
    """

    def __init__(self, url: str) -> None:
        """Opens the database and brings an older one up to date.

        Raises:
            RunError: no such kind of database, or it was written by a newer version.
            LedgerUnavailable: it cannot be reached.
        """
        raise RuntimeError

    def close(self) -> None:
        """Lets go of the database."""

    # campaigns
    def create(self, campaign: NewCampaign, attempts: Sequence[NewAttempt]) -> None:
        """Adds a campaign with its due attempts, whole or not at all. RunError if it, or an attempt, occurs twice."""

    def campaign(self, campaign: str) -> Campaign:
        """Returns one campaign. RunError if there is none."""
        raise RuntimeError

    def campaigns(self) -> list[Campaign]:
        """Returns all campaigns, oldest first."""
        raise RuntimeError

    def want(self, campaign: str, wanted: Wanted, why: str, now: datetime) -> None:
        """Pauses, resumes, stops. Stopped and done are for good: RunError on an attempt to leave them."""

    # the lease
    def take(self, campaign: str, runner: str, *, over: Lease | None, now: datetime) -> Lease | None:
        """Takes the lease if it is free, or if it is still exactly ``over`` (a runner known to be dead).

        Returns None if somebody else holds it: look at ``campaign(...).runner`` and ``beats``.
        """
        raise RuntimeError

    def beat(self, lease: Lease) -> bool:
        """Says that the runner lives; False: the lease was taken over, stop."""
        raise RuntimeError

    def give_back(self, lease: Lease) -> None:
        """Frees the lease (the runner ends in good order)."""

    # attempts
    def add(self, lease: Lease, attempts: Sequence[NewAttempt]) -> None:
        """Adds due attempts (replacements, a deviation). RunError if one occurs, or is replaced, twice."""

    def attempts(self, campaign: str) -> list[Attempt]:
        """Returns all attempts by seq."""
        raise RuntimeError

    def due(self, campaign: str, before: datetime, limit: int = 1000) -> list[Attempt]:
        """Returns due attempts with ``due <= before``, soonest first, without those of paused entries."""
        raise RuntimeError

    def next_due(self, campaign: str) -> datetime | None:
        """Returns when the soonest due attempt is due (paused entries included), or None if none is left."""
        raise RuntimeError

    def claim(self, lease: Lease, attempt: str, now: datetime, ceilings: Ceilings) -> Claim:
        """Claims a due attempt, atomically against every other runner and campaign of the ledger."""
        raise RuntimeError

    def dialling(self, lease: Lease, attempt: str, now: datetime) -> None:
        """Notes that the INVITE or page load is about to go out (a no-op if the attempt has ended already)."""

    def end(self, campaign: str, attempt: str, outcome: str, reason: str, now: datetime, *,
            connected: bool = False, seconds: float = 0.0, cost: float = 0.0) -> bool:  # fmt: skip
        """Ends an attempt that has not ended; False if it had: the first outcome stands."""
        raise RuntimeError

    def miss(self, lease: Lease, now: datetime) -> list[Attempt]:
        """Ends every due attempt whose ``until`` has passed as MISSED and returns those."""
        raise RuntimeError

    def under_way(self, campaign: str) -> list[Attempt]:
        """Returns the attempts that are claimed or dialling."""
        raise RuntimeError

    def recent(self, campaign: str, entry: str, limit: int) -> list[str]:
        """Returns the outcomes of the entry's last ended attempts that were dialled, latest first."""
        raise RuntimeError

    # pauses, deviations, diary
    def pause(self, campaign: str, entry: str | None, reason: str, now: datetime) -> None:
        """Pauses an entry, or all of them."""

    def lift(self, campaign: str, entry: str | None, by: str, now: datetime) -> None:
        """Lifts a pause; entry None lifts every pause of the campaign."""

    def pauses(self, campaign: str) -> list[Pause]:
        """Returns the pauses in force."""
        raise RuntimeError

    def deviate(self, campaign: str, deviation: Deviation) -> None:
        """Records a signed change of the plan and makes its hash the campaign's."""

    def deviations(self, campaign: str) -> list[Deviation]:
        """Returns the deviations in order."""
        raise RuntimeError

    def note(self, campaign: str, kind: str, text: str, now: datetime) -> None:
        """Writes a line into the diary."""

    def notes(self, campaign: str) -> list[Note]:
        """Returns the diary."""
        raise RuntimeError
