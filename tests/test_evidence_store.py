"""Evidence in a second place: whole, or plainly not there; on folders, in memory, and on a real S3 server."""

from __future__ import annotations

import hashlib
import sys
import threading

import pytest

from probes.session import Evidence
from results.evidence import check
from results.evidence_store import EvidenceStore
from results.run_folder import RunFolder
from scenarios.errors import EvidenceDamaged, EvidenceUnavailable, FolderUnwritable, InputError, RunError
from tests.s3_server import BUCKET, S3Server, Wire
from tests.session_factory import chat, fill, voice
from tests.small_disk import small_disk

SECRET = "kept-out-of-every-message"


@pytest.fixture
def run(tmp_path):
    folder = RunFolder.create(tmp_path, "r1")
    fill(folder, [voice(1), chat(2)])
    return folder


@pytest.fixture(scope="module")
def server():
    with S3Server() as one:
        yield one


@pytest.fixture
def s3(server, monkeypatch):
    environment(monkeypatch, server.endpoint)


def environment(monkeypatch, endpoint):
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "tester"), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["file", "memory", "s3"])
def url(request, tmp_path):
    """An empty place of its own on each kind of store."""
    if request.param == "file":
        return f"file://{tmp_path}/store"
    if request.param == "s3":
        request.getfixturevalue("s3")
        return f"s3://{BUCKET}/{tmp_path.name}"
    return f"memory://{tmp_path.name}"


@pytest.fixture
def store(url):
    return EvidenceStore(url)


@pytest.fixture
def disk(tmp_path):
    with small_disk(tmp_path / "disk", 256) as place:
        yield place


def files(home):
    return {path.name: path.read_bytes() for path in home.iterdir()}


def at(store, name):
    """Opens a file of the store for writing, past the store's own code."""
    return store._fs.open(f"{store._root}/sessions/{name}", "wb")


def test_what_is_sent_comes_back_byte_for_byte(run, store, tmp_path):
    assert store.pending(run) == ["c002", "v001"]
    assert not store.has("v001")
    assert store.push(run) == []
    assert store.pending(run) == []
    assert store.has("v001")
    assert store.verify("v001") == store.check(run) == []
    other = RunFolder.create(tmp_path, "r2")
    for attempt in ("c002", "v001"):
        store.fetch(attempt, other.session_dir(attempt))
        assert files(other.session_dir(attempt)) == files(run.session_dir(attempt))
    assert check(other) == []
    assert [session.attempt.id for session in other.sessions()] == ["c002", "v001"]


def test_layout(run, store):
    store.put(run.session_dir("v001"), "v001")
    names = {path.rsplit("/sessions/", 1)[1] for path in store._fs.find(store._root)}
    assert names == {"v001/call.wav", "v001/session.json"}


def test_sending_twice_changes_nothing_and_repairs_what_is_damaged(run, store):
    store.put(run.session_dir("v001"), "v001")
    store.put(run.session_dir("v001"), "v001")
    assert store.verify("v001") == []
    with at(store, "v001/call.wav") as file:
        file.write(b"RIFF")
    assert store.verify("v001") != []
    store.put(run.session_dir("v001"), "v001")
    assert store.verify("v001") == []


def test_a_cut_or_changed_file_in_the_store_is_noticed_and_not_fetched(run, store, tmp_path):
    store.push(run)
    wave = (run.session_dir("v001") / "call.wav").read_bytes()
    for content, sentence in ((wave[:-7], f"bytes instead of {len(wave)}"), (wave[:-1] + b"\1", "SHA-256")):
        with at(store, "v001/call.wav") as file:
            file.write(content)
        assert [sentence in found for found in store.verify("v001")] == [True]
        assert [sentence in found for found in store.check(run)] == [True]
        with pytest.raises(EvidenceDamaged, match=sentence):
            store.fetch("v001", tmp_path / "elsewhere" / "v001")
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_missing_file_is_noticed_and_nothing_is_fetched(run, store, tmp_path):
    store.push(run)
    store._fs.rm_file(f"{store._root}/sessions/v001/call.wav")
    assert store.verify("v001") == ["v001: call.wav is missing"]
    with pytest.raises(EvidenceDamaged, match=r"call\.wav is missing"):
        store.fetch("v001", tmp_path / "elsewhere" / "v001")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    with pytest.raises(EvidenceUnavailable, match="not there"):
        store.fetch("v999", tmp_path / "elsewhere" / "v999")
    assert store.verify("v999") == ["v999: session.json is missing"]


def test_a_session_json_cut_off_on_its_way_does_not_count_and_is_sent_again(run, store):
    store.push(run)
    whole = (run.session_dir("v001") / "session.json").read_bytes()
    with at(store, "v001/session.json") as file:
        file.write(whole[: len(whole) // 2])
    assert not store.has("v001")
    assert store.pending(run) == ["v001"]
    assert "damaged" in store.verify("v001")[0]
    assert store.push(run) == []
    assert store.check(run) == []


def test_another_session_of_the_attempt_is_never_overwritten(run, store, tmp_path):
    store.push(run)
    late = RunFolder.create(tmp_path, "late")
    fill(late, [voice(1, wait=9.0)])
    with pytest.raises(EvidenceDamaged, match="another session"):
        store.put(late.session_dir("v001"), "v001")
    assert store.check(run) == []
    assert ["another one" in found for found in store.check(late)] == [True]


def test_what_was_changed_here_is_not_sent_and_does_not_hold_up_the_rest(run, store):
    (run.session_dir("c002") / "transcript.jsonl").write_text("{}")
    troubles = store.push(run)
    assert len(troubles) == 1
    assert "transcript.jsonl has 2 bytes instead of" in troubles[0]
    assert not store.has("c002")
    assert store.has("v001")
    assert store.pending(run) == ["c002"]


@pytest.mark.parametrize(
    "name", ["../../v002/call.wav", "/etc/hosts", "a/b", "..", "a\\..\\b", "", "session.json", "."]
)
def test_names_outside_the_folder_are_refused(run, store, tmp_path, name):
    session = next(session for session in run.sessions() if session.attempt.id == "v001")
    evil = session.model_copy(update={"evidence": [session.evidence[0].model_copy(update={"name": name})]})
    (run.session_dir("v001") / "session.json").write_text(evil.model_dump_json())
    with pytest.raises(EvidenceDamaged, match="cannot name a file of the session"):
        store.put(run.session_dir("v001"), "v001")
    store._fs.makedirs(f"{store._root}/sessions/v001", exist_ok=True)
    with at(store, "v001/session.json") as file:
        file.write(evil.model_dump_json().encode())
    with pytest.raises(EvidenceDamaged, match="cannot name a file of the session"):
        store.fetch("v001", tmp_path / "elsewhere" / "v001")
    assert "cannot name" in check(run)[-1]


def test_an_attempt_of_another_name_is_refused(run, store, tmp_path):
    with pytest.raises(EvidenceDamaged, match="belongs to attempt"):
        store.put(run.session_dir("v001"), "v002")
    with pytest.raises(RunError, match="cannot name an attempt"):
        store.has("../v001")


def test_a_session_that_is_here_is_not_fetched_over(run, store):
    store.push(run)
    with pytest.raises(RunError, match="here already"):
        store.fetch("v001", run.session_dir("v001"))


def test_a_store_that_keeps_half_is_noticed_before_the_session_counts(run, monkeypatch):
    with S3Server(cut_short="call.wav") as server:
        environment(monkeypatch, server.endpoint)
        store = EvidenceStore(f"s3://{BUCKET}/cut", patience_s=0.5)
        with pytest.raises(EvidenceUnavailable, match=r"call\.wav did not arrive whole"):
            store.put(run.session_dir("v001"), "v001")
        assert store._fs.find(f"{BUCKET}/cut") != []
        assert not store.has("v001")
        assert store.pending(run) == ["c002", "v001"]


def test_killed_in_the_middle_and_back_empty_everything_is_pending_again(run, monkeypatch):
    with S3Server(die_at_put=3) as first:
        environment(monkeypatch, first.endpoint)
        store = EvidenceStore(f"s3://{BUCKET}/c1", patience_s=0)
        troubles = store.push(run)
        first.wait()
        assert len(troubles) == 1
        assert f"s3://{BUCKET}/c1 cannot be used now" in troubles[0]
        assert SECRET not in troubles[0]
        with pytest.raises(EvidenceUnavailable):
            store.has("c002")
        with S3Server(first.port):
            assert store.pending(run) == ["c002", "v001"]
            assert store.push(run) == []
            assert store.check(run) == []
    assert check(run) == []


def test_killed_between_evidence_and_session_the_same_put_sends_all_of_it_again(run, monkeypatch):
    """The first file went to a server that forgot it: the mark must not be set without it."""
    with S3Server(die_at_put=2) as first:
        environment(monkeypatch, first.endpoint)
        store = EvidenceStore(f"s3://{BUCKET}/c1")
        failures = []
        putting = threading.Thread(target=lambda: failures.extend(store.push(run)))
        putting.start()
        first.wait()
        with S3Server(first.port):
            putting.join()
            assert failures == []
            assert store.pending(run) == []
            assert store.check(run) == []


def test_a_line_that_was_cut_and_mended_leaves_what_was_sent(run, server, monkeypatch):
    wire = Wire(server.port)
    environment(monkeypatch, f"http://127.0.0.1:{wire.port}")
    store = EvidenceStore(f"s3://{BUCKET}/cut-and-mended", patience_s=0)
    store.put(run.session_dir("c002"), "c002")
    wire.cut()
    with pytest.raises(EvidenceUnavailable):
        store.pending(run)
    with pytest.raises(EvidenceUnavailable):
        store.put(run.session_dir("v001"), "v001")
    assert len(store.push(run)) == 1
    wire.mend()
    assert store.pending(run) == ["v001"]
    assert store.push(run) == []
    assert store.check(run) == []
    wire.cut()


def test_a_bucket_that_is_not_there_is_not_made(run, s3):
    store = EvidenceStore("s3://nobodys-bucket/c1")
    assert ["does not exist" in trouble for trouble in store.push(run)] == [True]
    with pytest.raises(EvidenceUnavailable):
        store.put(run.session_dir("v001"), "v001")
    assert "nobodys-bucket" not in EvidenceStore(f"s3://{BUCKET}/c1")._fs.ls("")


def test_no_credentials_is_one_sentence(s3, monkeypatch):
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="no credentials: AWS_SECRET_ACCESS_KEY not set") as told:
        EvidenceStore(f"s3://{BUCKET}/c1")
    assert "\n" not in str(told.value)


def test_an_endpoint_with_a_password_is_refused(monkeypatch):
    environment(monkeypatch, f"http://tester:{SECRET}@127.0.0.1:9")
    with pytest.raises(InputError, match="AWS_ENDPOINT_URL holds a password") as told:
        EvidenceStore(f"s3://{BUCKET}/c1")
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (f"s3://tester:{SECRET}@bucket/c1", "holds a password"),
        (f"s3://tester:a/{SECRET}@bucket/c1", "holds a password"),
        (f"sftp://tester:{SECRET}@host/c1", "holds a password"),
        (f"s3://bucket/c1?secret={SECRET}", "holds a password"),
        ("simplecache::s3://bucket/c1", "is none"),
        ("/srv/evidence", "is none"),
        ("file://srv/evidence", "not absolute"),
        ("s3://", "names no place"),
        ("nosuch://place/c1", "nosuch"),
        ("gs://bucket/c1", "needs a package"),
    ],
)
def test_bad_urls(url, sentence, s3):
    with pytest.raises(InputError, match=sentence) as told:
        EvidenceStore(url)
    assert SECRET not in str(told.value)
    assert "\n" not in str(told.value)


def test_without_the_extra_the_cure_names_it(s3, monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(InputError, match=r"pip install 'contact-centre-shopper\[s3\]'"):
        EvidenceStore(f"s3://{BUCKET}/c1")


def test_an_empty_file_is_a_file(run, store, tmp_path):
    home = run.session_dir("v001")
    session = next(session for session in run.sessions() if session.attempt.id == "v001")
    (home / "call.wav").write_bytes(b"")
    item = Evidence(name="call.wav", kind="recording", sha256=hashlib.sha256().hexdigest(), bytes=0)
    run.write_session(session.model_copy(update={"evidence": [item]}))
    store.put(home, "v001")
    store.fetch("v001", tmp_path / "elsewhere" / "v001")
    assert files(tmp_path / "elsewhere" / "v001") == files(home)


def test_the_secret_is_in_no_representation(s3):
    store = EvidenceStore(f"s3://{BUCKET}/c1")
    assert SECRET not in repr(store) + str(store) + store.url


def test_a_full_disk_here_is_told_and_nothing_is_half_fetched(run, store, disk):
    store.push(run)
    with pytest.raises(FolderUnwritable, match="free some space"):
        store.fetch("v001", disk / "sessions" / "v001")
    assert list((disk / "sessions").iterdir()) == []


def test_a_full_folder_store_leaves_the_session_pending(run, disk):
    store = EvidenceStore(f"file://{disk}/store", patience_s=0)
    assert ["No space left" in trouble for trouble in store.push(run)] == [True]
    assert store.pending(run) == ["v001"]
    assert check(run) == []
