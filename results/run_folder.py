"""The folder of one run: everything that was measured, and all that it was measured with.

::

    runs/<id>/
      run.json             what was run, when, with which versions (RunInfo)
      plan.yaml            the plan, byte for byte
      target.yaml          the target, byte for byte
      attempts.sqlite      the ledger of attempts (unless it lies elsewhere)
      sessions/<attempt>/  session.json, and its evidence: call.wav | transcript.jsonl, screenshot.png, ...;
                           hearing-<pass>.json: what a measuring pass found, beside what the call itself did
      library/             the recordings known to the measuring passes
      hearing.json         which measuring passes there were, and which one counts (HearingIndex)
      certificate.json     the calibration certificate that was in force when the run began, if there was one
      observations.csv     one row per session (scoring.observations)
      metrics.json         scoring.metrics.Metrics
      scorecard.json       scoring.scorecard.Scorecard
      flow.json            results.flow_table.FlowTable; campaigns only
      report.html          the report
      sandbox/             the sandbox centre's truth logs; no probe reads them

Files are written whole or not at all (:mod:`results.whole_file`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from probes.rehearing.record import Hearing, overlaid
from probes.session import Evidence, Record, Session
from results.certificate import Certificate
from results.flow_table import FlowTable
from results.whole_file import write, writing
from scenarios.errors import RunError
from scenarios.model import Lang

if TYPE_CHECKING:  # scoring brings pandas and scipy: whoever only places calls need not wait for them
    import pandas as pd

    from scoring.metrics import Metrics
    from scoring.scorecard import Scorecard

M = TypeVar("M", bound=BaseModel)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class PlanChange(Record):
    """A deviation: the plan was changed after the first attempt, and somebody signed for it. Hashes are SHA-256."""

    at: datetime
    by: str
    reason: str
    old_sha256: str
    new_sha256: str


class RunInfo(Record):
    """What was run. Hashes are SHA-256 of the files beside it."""

    format: Literal[1] = 1
    id: str
    created_utc: datetime
    finished_utc: datetime | None = None
    target: str = ""
    target_sha256: str = ""
    plan: str = ""
    plan_sha256: str = ""
    seed: int | None = None
    decision_rule: str = ""
    lang: Lang = "zh"
    sandbox: bool = False
    planned: int = 0
    versions: dict[str, str] = Field(default_factory=dict, description="program or package -> version")
    deviations: tuple[PlanChange, ...] = ()


class HearingPass(Record):
    """One measuring pass: the same recordings, packets, library and version have the same name."""

    name: str
    hearing: int = Field(description="version of the hearing")
    sessions: int
    library: str = Field(default="", description="SHA-256 of the library, as its folder's files are named")


class HearingIndex(Record):
    """All measuring passes of a run, the oldest first; the last one counts."""

    format: Literal[1] = 1
    passes: tuple[HearingPass, ...] = ()


class RunFolder:
    """One run's folder. Paths are attributes; what is read is checked, and damage raises RunError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.run_json = path / "run.json"
        self.plan = path / "plan.yaml"
        self.target = path / "target.yaml"
        self.attempts = path / "attempts.sqlite"
        self.sessions_dir = path / "sessions"
        self.observations = path / "observations.csv"
        self.metrics = path / "metrics.json"
        self.scorecard = path / "scorecard.json"
        self.flow = path / "flow.json"
        self.report = path / "report.html"
        self.sandbox = path / "sandbox"
        self.hearing = path / "hearing.json"
        self.library = path / "library"
        self.certificate = path / "certificate.json"

    @classmethod
    def create(cls, root: Path, run_id: str) -> RunFolder:
        """Makes ``root/run_id``.

        Raises:
            RunError: the id is no plain name, or the folder exists already.
            FolderUnwritable: the disk is full or read-only.
        """
        _plain(run_id, "run")
        path = Path(root) / run_id
        folder = cls(path)
        with writing(path):
            try:
                path.mkdir(parents=True)
            except FileExistsError as error:
                raise RunError("this run exists already", file=path, cure="choose another id") from error
            folder.sessions_dir.mkdir()
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Opens an existing run.

        Raises:
            RunError: there is no run there.
        """
        folder = cls(Path(path))
        if not folder.sessions_dir.is_dir():
            raise RunError("this is no run folder: it has no sessions/", file=path, cure="give the path of runs/<id>")
        return folder

    @property
    def id(self) -> str:
        """The run's id: its folder's name."""
        return self.path.name

    def session_dir(self, attempt: str) -> Path:
        """Returns the folder of one attempt; it cannot lie outside the run.

        Raises:
            RunError: the attempt's id is no plain name.
        """
        return self.sessions_dir / _plain(attempt, "attempt")

    def evidence(self, session: Session, item: Evidence) -> Path:
        """Returns the path of one evidence file.

        Raises:
            RunError: its name points outside the session's folder.
        """
        home = self.session_dir(session.attempt.id)
        path = home / item.name
        if not path.resolve().is_relative_to(home.resolve()):
            raise RunError(f"evidence {item.name!r} lies outside its session", file=home)
        return path

    def write_session(self, session: Session) -> Path:
        """Writes one session and returns the file."""
        home = self.session_dir(session.attempt.id)
        with writing(home):
            home.mkdir(parents=True, exist_ok=True)
        return write(home / "session.json", session.model_dump_json(indent=2))

    def sessions(self) -> Iterator[Session]:
        """Yields the sessions, in the order of the attempts' ids.

        Raises:
            RunError: one of them cannot be read.
        """
        for file in sorted(self.sessions_dir.glob("*/session.json")):
            session = _read(file, Session)
            if session.attempt.id != file.parent.name:
                raise RunError(f"the session of attempt {session.attempt.id} lies in the wrong folder", file=file)
            yield session

    def measured(self) -> Iterator[Session]:
        """Yields the sessions as the measuring pass that counts heard them; those it has not, as they are.

        Raises:
            RunError: a session, or what was found in it, cannot be read.
        """
        passes = self.hearings().passes
        for session in self.sessions():
            file = None if not passes else self.hearing_file(session.attempt.id, passes[-1].name)
            yield session if file is None or not file.exists() else overlaid(session, _read(file, Hearing))

    def hearing_file(self, attempt: str, name: str) -> Path:
        """Returns where a measuring pass keeps what it found in one session."""
        return self.session_dir(attempt) / f"hearing-{_plain(name, 'measuring pass')}.json"

    def hearings(self) -> HearingIndex:
        """Reads hearing.json; an empty index if nothing was measured yet."""
        return _read(self.hearing, HearingIndex) if self.hearing.exists() else HearingIndex()

    def write_hearings(self, found: HearingPass, hearings: Iterable[Hearing]) -> HearingIndex:
        """Writes what a measuring pass found beside what was there; from now on it counts. Nothing is overwritten."""
        for hearing in hearings:
            file = self.hearing_file(hearing.attempt, found.name)
            if not file.exists():
                write(file, hearing.model_dump_json(indent=1))
        kept = tuple(one for one in self.hearings().passes if one.name != found.name)
        index = HearingIndex(passes=(*kept, found))
        write(self.hearing, index.model_dump_json(indent=2))
        return index

    def write_certificate(self, certificate: Certificate) -> Path:
        """Keeps the calibration certificate; the first one stays, because it is the one that the run began with."""
        if self.certificate.exists():
            return self.certificate
        return write(self.certificate, certificate.model_dump_json(indent=2))

    def read_certificate(self) -> Certificate | None:
        """Reads certificate.json; None if there was none in force."""
        return _read(self.certificate, Certificate) if self.certificate.exists() else None

    def write_info(self, info: RunInfo) -> Path:
        """Writes run.json."""
        return write(self.run_json, info.model_dump_json(indent=2))

    def info(self) -> RunInfo:
        """Reads run.json."""
        return _read(self.run_json, RunInfo)

    def write_observations(self, table: pd.DataFrame) -> Path:
        """Writes observations.csv (UTF-8, floats with all their digits)."""
        from scoring.observations import validate

        return write(self.observations, validate(table).to_csv(index=False, lineterminator="\n"))

    def read_observations(self) -> pd.DataFrame:
        """Reads observations.csv and checks it."""
        import pandas as pd

        from scoring.observations import COLUMNS, validate

        text = [column.name for column in COLUMNS if column.dtype == "str"]
        try:
            table = pd.read_csv(
                self.observations, dtype=dict.fromkeys(text, "str"), keep_default_na=False, na_values={
                    column.name: [""] for column in COLUMNS if column.dtype == "float64"
                },
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise RunError(f"observations cannot be read: {error}", file=self.observations) from error
        return validate(table)

    def write_metrics(self, metrics: Metrics) -> Path:
        """Writes metrics.json."""
        return write(self.metrics, metrics.model_dump_json(indent=2))

    def read_metrics(self) -> Metrics:
        """Reads metrics.json."""
        from scoring.metrics import Metrics

        return _read(self.metrics, Metrics)

    def write_scorecard(self, scorecard: Scorecard) -> Path:
        """Writes scorecard.json."""
        return write(self.scorecard, scorecard.to_json())

    def read_scorecard(self) -> Scorecard:
        """Reads scorecard.json."""
        from scoring.scorecard import Scorecard

        return _read(self.scorecard, Scorecard)

    def write_flow(self, flow: FlowTable) -> Path:
        """Writes flow.json."""
        return write(self.flow, flow.model_dump_json(indent=2))

    def read_flow(self) -> FlowTable | None:
        """Reads flow.json; None if there is none: the run is no campaign."""
        return _read(self.flow, FlowTable) if self.flow.exists() else None


def _plain(name: str, what: str) -> str:
    if not NAME.fullmatch(name):
        raise RunError(f"{name!r} cannot name a {what}", cure="letters, digits, dot, dash and underscore")
    return name


def _read(path: Path, model: type[M]) -> M:
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RunError(f"cannot be read: {error.strerror}", file=path) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RunError(f"damaged at {where or 'the start'}: {first['msg']}", file=path) from error
