"""Every error the harness raises on purpose, as one tree.

::

    ShopperError                 anything the harness knows how to explain
    ├── InputError               a file or option the user gave is wrong      -> exit code 2
    │   ├── ScenarioError            a scenario script
    │   ├── TargetError              a target (the contact centre's description)
    │   ├── PlanError                a plan
    │   ├── AuthorisationError       an authorisation file that cannot be read
    │   ├── SchemeError              a certification scheme's data
    │   ├── InputsError              the inputs of a scoring
    │   └── RunError                 a run folder that is missing or damaged
    ├── PolicyRefused            the dial policy or an authorisation says no  -> exit code 3
    ├── ToolMissing              a program the run needs is not there         -> exit code 2
    ├── LedgerUnavailable        the ledger cannot be read or written now     -> exit code 1
    ├── EvidenceUnavailable      the evidence store cannot be used now        -> exit code 1
    │   └── EvidenceDamaged          a session's files are not what it says
    ├── FolderUnwritable         a file cannot be written: full, read-only    -> exit code 1
    └── ProbeFault               a session could not be carried on
        ├── FarEndFault              the far end's doing: refused, unreachable, page broken
        └── HarnessFault             our own doing: the session becomes INVALID, never a score

A message is one sentence that says what is wrong and what to do about it.
"""

from __future__ import annotations

from pathlib import Path


class ShopperError(Exception):
    """Root of the tree."""

    exit_code = 1


class InputError(ShopperError):
    """Something the user wrote is wrong; names the file, the place and the cure."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        column: int | None = None,
        cure: str | None = None,
    ) -> None:
        self.message, self.file, self.line, self.column, self.cure = message, file, line, column, cure
        place = "" if file is None else str(file)
        if line is not None:
            place += f":{line}" + ("" if column is None else f":{column}")
        text = f"{place}: {message}" if place else message
        super().__init__(text if cure is None else f"{text} ({cure})")


class ScenarioError(InputError):
    """A scenario script is wrong."""


class TargetError(InputError):
    """A target file is wrong."""


class PlanError(InputError):
    """A plan is wrong."""


class AuthorisationError(InputError):
    """An authorisation file cannot be read."""


class SchemeError(InputError):
    """A certification scheme's data is wrong."""


class InputsError(InputError):
    """The inputs of a scoring are wrong."""


class RunError(InputError):
    """A run folder is missing or damaged."""


class PolicyRefused(ShopperError):
    """The dial policy says no. Nothing was dialled or opened."""

    exit_code = 3


class ToolMissing(ShopperError):
    """A program or package the run needs is not there; the message says how to get it."""

    exit_code = 2


class LedgerUnavailable(ShopperError):
    """The ledger, the disk of the sessions or the crew is away at the moment; nothing is dialled until it is back."""


class EvidenceUnavailable(ShopperError):
    """The evidence store cannot be used at the moment; what is local stays, and is sent later."""


class EvidenceDamaged(EvidenceUnavailable):
    """A session's files are not what its session.json says, here or in the store; trying again does not help."""


class FolderUnwritable(ShopperError):
    """A file cannot be written: the disk is full or read-only. Nothing is left half written."""


class ProbeFault(ShopperError):
    """A session could not be carried on."""


class FarEndFault(ProbeFault):
    """The far end refused, could not be reached, or broke off."""


class HarnessFault(ProbeFault):
    """The harness itself failed; the session is INVALID and counts for nobody."""
