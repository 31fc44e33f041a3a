"""One campaign on several machines: a Dask scheduler with TLS, workers that see nothing of the runner's disk, a bucket.

Each machine is a process with a disk of its own where the runner's is (a mount namespace): what a worker writes there
the runner cannot see, and the other way round. Needs root, as the tests with a full disk do.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from distributed import Client, Security
from ruamel.yaml import YAML

from harness import kill_switch
from harness.campaign_folder import CampaignFolder
from harness.inputs import speech_cache
from harness.ledger.rows import Attempt, State
from harness.sandbox.centre import Centre
from harness.sandbox.truth import Truth
from probes.session import Session
from results.evidence import check
from tests.s3_server import BUCKET, S3Server
from tests.shopper import ROOT, Ran, command, write_yaml
from tests.test_campaign_run import calls, chats, write_plan
from tests.tls_material import Authority

pytestmark = [pytest.mark.realtime, pytest.mark.long]
NO_PAGE = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")  # else it listens on every address
TRUSTED = Path("the runner's own")
OWN_DISK = 'mount -t tmpfs tmpfs "$1" && shift && exec "$@"'


def wait_for(ready: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Waits for what another process does; a file or a process table has no event to await."""
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@dataclass
class Process:
    """One ``dask scheduler`` or ``dask worker``, and what it logs."""

    popen: subprocess.Popen[bytes]
    log: Path

    def said(self, words: str) -> int:
        return self.log.read_text(encoding="utf-8", errors="replace").count(words)

    def disk(self, path: Path) -> Path:
        """Returns where ``path`` of this process's machine is for us."""
        return Path(f"/proc/{self.popen.pid}/root{path}")

    def workers(self) -> list[psutil.Process]:
        """Returns the worker processes under the nanny."""
        found = psutil.Process(self.popen.pid).children()
        return [child for child in found if "spawn_main" in " ".join(child.cmdline())]

    def end(self) -> None:
        """Kills it, and what it started."""
        if self.popen.poll() is None:
            family = psutil.Process(self.popen.pid).children(recursive=True)
            self.popen.kill()
            for child in family:
                if child.is_running():
                    child.kill()
        self.popen.wait(10)


@dataclass
class Site:
    """A runner's machine with a sandbox centre, a scheduler, and three machines of workers."""

    folder: Path
    authority: Authority
    centre: Centre
    environment: dict[str, str]
    scheduler: Process
    address: str
    stack: ExitStack
    machines: list[Process] = field(default_factory=list)

    @property
    def runner(self) -> Path:
        """The runner's disk: no worker sees it."""
        return self.folder / "runner"

    def dask(self, name: str, *arguments: object, config: Path | None, own_disk: bool = True) -> Process:
        """Starts ``dask ...`` on a machine called ``name``."""
        return dask(self.folder / name, self.environment, self.runner if own_disk else None, config, *arguments)

    def worker(self, name: str, resources: str, config: Path | None, *more: object) -> Process:
        threads = sum(int(part.partition("=")[2]) for part in resources.split() if part[:5] in ("voice", "chat="))
        started = self.dask(
            name, "worker", self.address, "--host", "127.0.0.1", "--nworkers", "1", "--nthreads", threads or 1,
            "--resources", resources, *NO_PAGE, *more, config=config,
        )  # fmt: skip
        self.stack.callback(started.end)
        return started

    def campaign(self, name: str, *attempts: dict[str, object]) -> Path:
        """Makes a campaign on the runner's disk, and copies it to the machines, as docs/scaling.md says."""
        folder = self.runner / name
        folder.mkdir(parents=True)
        shutil.copy(self.centre.folder / "target.yaml", folder)
        shutil.copytree(self.centre.folder / "recordings", folder / "recordings")
        for machine in self.machines:
            if machine.popen.poll() is not None:
                continue
            shutil.copytree(folder, machine.disk(folder))
        write_plan(folder, *attempts, at_once={"voice": 2, "chat": 2})
        return folder

    def start(self, folder: Path, config: Path | None = TRUSTED, *, bucket: bool = True) -> subprocess.Popen[str]:
        arguments = ["campaign", "run", folder, "--scheduler", self.address]
        arguments += ["--evidence", f"s3://{BUCKET}/audit"] if bucket else []
        config = self.authority.folder / "runner.dask.yaml" if config is TRUSTED else config
        environment = self.environment | ({} if config is None else {"DASK_CONFIG": str(config)})
        pipe = subprocess.PIPE
        return subprocess.Popen(command(*arguments), cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True)

    def finish(self, process: subprocess.Popen[str]) -> Ran:
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        return Ran(process.returncode, out, err)

    def run(self, folder: Path) -> Ran:
        return self.finish(self.start(folder))

    def dialled(self) -> list[str]:
        """Returns the calls and chats that the centre has seen, in order."""
        rows = Truth.read(self.centre.truth) if self.centre.truth.exists() else []
        return list(dict.fromkeys(row["session"] for row in rows))

    def carrying(self, folder: Path) -> Process:
        """Waits until a machine has a session of this campaign under way, and returns it."""
        at = [machine for machine in self.machines if machine.disk(folder / "run" / "sessions").exists()]
        return at[0]


def dask(
    home: Path, environment: dict[str, str], own_disk: Path | None, config: Path | None, *arguments: object
) -> Process:
    home.mkdir(parents=True, exist_ok=True)
    run = [sys.executable, "-m", "dask", *map(str, arguments)]
    if own_disk is not None:
        run = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", OWN_DISK, "sh", str(own_disk), *run]
    more = {"PYTHONPATH": str(ROOT), "TMPDIR": str(home)} | ({} if config is None else {"DASK_CONFIG": str(config)})
    log = home / "log"
    with log.open("wb") as out:
        popen = subprocess.Popen(
            run, cwd=home, env=environment | more, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    return Process(popen, log)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("only root may give a process a disk of its own")
    folder = tmp_path_factory.mktemp("machines")
    (folder / "runner").mkdir()
    authority = Authority(folder / "tls")
    for name in ("scheduler", "runner"):
        authority.machine(name)
    centre = Centre(folder / "centre", seed=5, cache=speech_cache())
    with ExitStack() as stack:
        store = stack.enter_context(S3Server())
        loop = stack.enter_context(asyncio.Runner())
        stack.callback(lambda: loop.run(centre.stop()))
        loop.run(centre.start())
        environment = os.environ | {
            "SHOPPER_STOP_FILE": str(folder / "STOP"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": store.endpoint,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        known = folder / "scheduler.json"
        arguments = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--protocol", "tls", *NO_PAGE]
        config = authority.folder / "scheduler.dask.yaml"
        scheduler = dask(
            folder / "scheduler", environment, folder / "runner", config, *arguments, "--scheduler-file", known
        )
        stack.callback(scheduler.end)
        wait_for(known.exists, "no scheduler")
        address = json.loads(known.read_text(encoding="utf-8"))["address"]
        site = Site(folder, authority, centre, environment, scheduler, address, stack)
        for name, offers in (("a", "voice=1"), ("b", "voice=1"), ("c", "chat=2")):
            site.machines.append(site.worker(name, offers, authority.machine(name)))
        wait_for(lambda: all(machine.said("Registered to") for machine in site.machines), "no workers")
        yield site


def call(line: str) -> dict[str, object]:
    return calls(1) | {"entry": line}


def rows_of(folder: Path) -> list[Attempt]:
    place = CampaignFolder(folder)
    ledger = place.ledger()
    try:
        return ledger.attempts(place.record().campaign)
    finally:
        ledger.close()


def sessions_of(folder: Path) -> list[Session]:
    return list(CampaignFolder(folder).run.sessions())


def test_a_campaign_on_machines_that_share_no_folder(site: Site) -> None:
    folder = site.campaign("whole", call("call-back"), call("drops"), chats(2))
    ran = site.run(folder)
    assert ran.code in (0, 1), ran.err + ran.out
    assert site.address.startswith("tls://")
    rows = rows_of(folder)
    assert {row.state for row in rows} == {State.ENDED}
    assert Counter(row.channel for row in rows) == {"voice": 2, "chat": 2}
    assert not {row.outcome for row in rows} & {"LOST", "INVALID", "BLOCKED", "MISSED"}
    assert len(site.dialled()) == 4

    run = CampaignFolder(folder).run
    assert check(run) == []
    kinds = Counter(item.kind for session in sessions_of(folder) for item in session.evidence)
    assert kinds == {"recording": 2, "pcap": 2, "transcript": 2, "screenshot": 2, "trace": 2}
    each = [{path.name for path in machine.disk(run.sessions_dir).iterdir()} for machine in site.machines]
    assert [len(names) for names in each] == [1, 1, 2]  # Dask spreads them
    assert set().union(*each) == {row.id for row in rows}


def test_a_worker_that_is_killed_in_mid_call_leaves_one_lost_attempt(site: Site) -> None:
    before = len(site.dialled())
    folder = site.campaign("killed", calls(1))
    runner = site.start(folder)
    wait_for(lambda: len(site.dialled()) > before, "no call")
    machine = site.carrying(folder)
    for worker in machine.workers():
        worker.send_signal(signal.SIGKILL)
    ran = site.finish(runner)
    assert ran.code == 1, ran.err
    again = site.run(folder)
    assert again.code == 1, again.err
    assert [(row.state, row.outcome) for row in rows_of(folder)] == [(State.ENDED, "LOST")]
    assert [session.outcome for session in sessions_of(folder)] == ["LOST"]
    assert len(site.dialled()) == before + 1


@pytest.mark.soak
def test_the_kill_switch_of_the_runner_ends_calls_on_machines_that_cannot_see_it(site: Site) -> None:
    before = len(site.dialled())
    folder = site.campaign("stopped", calls(2))
    runner = site.start(folder, bucket=False)
    wait_for(lambda: len(site.dialled()) > before, "no call")
    begun = set(site.dialled()[before:])
    kill_switch.pull(folder / "run" / kill_switch.NAME, by="test", reason="drill")
    at = time.monotonic()
    ran = site.finish(runner)
    assert ran.code == 3, ran.err
    ends = [
        row["t_mono"] - at for row in Truth.read(site.centre.truth) if row["event"] == "end" and row["session"] in begun
    ]
    assert len(ends) >= len(begun)
    assert max(ends) < 1.5, ends
    assert not {row.state for row in rows_of(folder)} & {State.CLAIMED, State.DIALLING}
    doubts = [doubt for session in sessions_of(folder) for doubt in session.review]
    assert "begin campaigns with --evidence" in " ".join(doubts)  # for the recordings stayed where they were made


@pytest.mark.soak
def test_a_worker_outlives_its_runner_and_the_next_one_gets_the_session_from_the_bucket(site: Site) -> None:
    before = len(site.dialled())
    folder = site.campaign("orphan", chats(1))
    runner = site.start(folder)
    wait_for(lambda: len(site.dialled()) > before, "no chat")
    runner.kill()
    runner.communicate()
    ran = site.run(folder)
    assert ran.code == 0, ran.err
    assert [row.outcome for row in rows_of(folder)] == ["IVR_SERVED"]
    assert check(CampaignFolder(folder).run) == []
    assert len(site.dialled()) == before + 1


def test_who_has_no_certificate_of_ours_joins_nothing(site: Site) -> None:
    joined = site.scheduler.said("Register worker")
    stranger = Authority(site.folder / "stranger", "somebody else")
    configs = {"no-certificate": None, "strange-certificate": stranger.machine("d", trusts=site.authority.ca)}
    tried = [site.worker(name, "voice=4", config, "--death-timeout", "5") for name, config in configs.items()]
    folder = site.campaign("no-certificate", calls(1))
    before = len(site.dialled())
    for config in (None, stranger.folder / "d.dask.yaml"):
        ran = site.finish(site.start(folder, config))
        assert ran.code == 2, ran.err
        assert "DASK_CONFIG" in ran.err or "no Dask scheduler answers" in ran.err
    for worker in tried:
        assert worker.popen.wait(40) != 0
        assert worker.said("Registered to") == 0
    assert site.scheduler.said("Register worker") == joined
    assert {row.state for row in rows_of(folder)} == {State.DUE}
    assert len(site.dialled()) == before


def test_an_attempt_that_no_worker_can_carry_out_is_told_before_anything_is_dialled(site: Site) -> None:
    folder = site.campaign("no-trunk", calls(1))
    trunk = {"kind": "ip", "uri": "sip:shopper@127.0.0.1", "channels": 2, "site": "north"}
    target = YAML(typ="safe").load(folder / "target.yaml")
    target["trunks"] = {"carrier": trunk}
    target["lines"]["hotline-1"] = {"uri": target["lines"]["hotline-1"]["uri"], "trunk": "carrier"}
    write_yaml(folder / "target.yaml", target)
    before = len(site.dialled())
    ran = site.run(folder)
    assert ran.code == 2, ran.err
    assert (
        "no worker offers site-north: start workers with --resources 'voice=4 site-north=4 trunk-carrier=4'" in ran.err
    )

    extra = site.worker("line-only", "site-north=2 trunk-carrier=2", site.authority.folder / "b.dask.yaml")
    wait_for(lambda: extra.said("Registered to") > 0, "no worker")
    ran = site.run(folder)
    extra.end()
    assert ran.code == 2, ran.err
    assert "no worker offers voice together with site-north together with trunk-carrier" in ran.err
    assert {row.state for row in rows_of(folder)} == {State.DUE}
    assert len(site.dialled()) == before


@pytest.mark.soak
def test_a_worker_that_is_retired_in_mid_call_does_not_hand_its_call_to_the_other(site: Site) -> None:
    before = len(site.dialled())
    folder = site.campaign("retired", calls(1))
    runner = site.start(folder)
    wait_for(lambda: len(site.dialled()) > before, "no call")
    tls = site.authority.folder
    security = Security(
        require_encryption=True,
        tls_ca_file=str(site.authority.ca),
        tls_client_cert=str(tls / "runner.pem"),
        tls_client_key=str(tls / "runner.key"),
    )
    with Client(site.address, security=security, set_as_default=False) as client:
        busy = [address for address, tasks in client.processing().items() if tasks]
        assert len(client.retire_workers(busy)) == 1  # as `dask worker --lifetime` does: its task goes to the other
    ran = site.finish(runner)
    assert ran.code == 1, ran.err
    rows = rows_of(folder)
    assert [(row.state, row.outcome) for row in rows] == [(State.ENDED, "LOST")]
    assert "never dialled twice" in rows[0].reason
    assert len(site.dialled()) == before + 1


@pytest.mark.soak
def test_a_scheduler_that_is_killed_takes_its_workers_along_and_they_hang_up(site: Site) -> None:
    before = len(site.dialled())
    folder = site.campaign("no-scheduler", calls(1))
    runner = site.start(folder)
    wait_for(lambda: len(site.dialled()) > before, "no call")
    site.scheduler.end()
    ran = site.finish(runner)
    assert ran.code == 1, ran.err
    sessions = sessions_of(folder)
    assert [row.outcome for row in rows_of(folder)] == [session.outcome for session in sessions]
    assert sessions[0].outcome in ("INVALID", "LOST")  # what was written in time came through the bucket
    assert check(CampaignFolder(folder).run) == []
    again = site.finish(site.start(folder))
    assert again.code == 1, again.err  # nothing was left to do
    assert len(site.dialled()) == before + 1
