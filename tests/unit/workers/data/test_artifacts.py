"""The artifact store: named by digest, atomic, checked when read."""

import hashlib
import os
import threading
from pathlib import Path

import fsspec
import pytest

from schemas.claims import Checkpoint, Progress
from tests.support.builders.artifacts import artifact
from tests.support.workbench import Workbench
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.errors import ArtifactError


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "file":
        return ArtifactStore((tmp_path / "store").as_uri(), tmp_path / "cache")
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    return ArtifactStore("memory://artifacts", tmp_path / "cache")


def test_what_was_put_is_fetched_by_its_digest(store: ArtifactStore, tmp_path: Path) -> None:
    source = tmp_path / "weights"
    source.write_bytes(b"w" * 3_000_000)
    ref = store.put_file(source, "application/octet-stream")
    assert ref.digest == "sha256:" + hashlib.sha256(b"w" * 3_000_000).hexdigest()
    assert ref.size == 3_000_000
    assert store.put_bytes(b"w" * 3_000_000, "application/octet-stream") == ref
    assert store.read(ref) == source.read_bytes()
    assert store.fetch(ref).is_file()
    assert not list(tmp_path.rglob(".staged-*"))


def test_a_missing_artifact_is_named(store: ArtifactStore) -> None:
    ref = artifact("missing")
    with pytest.raises(ArtifactError, match=rf"{ref.digest}.* is not in the store"):
        store.fetch(ref)


def test_a_damaged_artifact_is_refused_and_a_second_put_repairs_it(tmp_path: Path) -> None:
    store = ArtifactStore((tmp_path / "store").as_uri(), tmp_path / "cache")
    ref = store.put_bytes(b"rows", "text/plain")
    path = store.fetch(ref)
    os.chmod(path, 0o644)
    path.write_bytes(b"worn")
    with pytest.raises(ArtifactError, match="damaged"):
        store.fetch(ref)
    store.put_bytes(b"rows", "text/plain")
    assert store.read(ref) == b"rows"


def test_a_damaged_remote_artifact_is_refused_and_a_damaged_cache_entry_is_fetched_again(tmp_path: Path) -> None:
    store = ArtifactStore("memory://damaged", tmp_path / "cache")
    ref = store.put_bytes(b"rows", "text/plain")
    cached = store.fetch(ref)
    os.chmod(cached, 0o644)
    cached.write_bytes(b"worn")
    assert store.read(ref) == b"rows"
    cached.unlink()
    filesystem = fsspec.filesystem("memory")
    filesystem.pipe(f"/damaged/sha256/{ref.digest[7:9]}/{ref.digest[7:]}", b"worn")
    with pytest.raises(ArtifactError, match="damaged"):
        store.fetch(ref)
    assert not cached.exists()


def test_many_writers_of_one_artifact_do_not_disturb_each_other(tmp_path: Path) -> None:
    store = ArtifactStore((tmp_path / "store").as_uri(), tmp_path / "cache")
    data = os.urandom(200_000)
    seen: list[bytes] = []

    def write() -> None:
        for _ in range(5):
            seen.append(store.read(store.put_bytes(data, "x/y")))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 40
    assert set(seen) == {data}


def test_a_store_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nosuch://x cannot be opened"):
        ArtifactStore("nosuch://x", tmp_path)


def test_a_context_reports_progress_checkpoints_and_lines(bench: Workbench) -> None:
    path = bench.root / "state"
    path.write_bytes(b"state")
    bench.context().progress(1, 2, "x" * 900, loss=0.5)
    bench.context().save_checkpoint(path, 7)
    bench.context().log("a line")
    progress, checkpoint, line = bench.reports
    assert isinstance(progress, Progress)
    assert (progress.step, progress.total, len(progress.message), progress.metrics) == (1, 2, 500, {"loss": 0.5})
    assert isinstance(checkpoint, Checkpoint)
    assert checkpoint.step == 7
    assert bench.artifacts.read(checkpoint.artifact) == b"state"
    assert line == "a line"


def test_halves_of_files_that_killed_processes_left_are_swept(tmp_path: Path) -> None:
    store = ArtifactStore((tmp_path / "store").as_uri(), tmp_path / "cache")
    kept = store.put_bytes(b"whole", "text/plain")
    left, young = (tmp_path / "store" / "tmp" / f".staged-{name}" for name in ("left", "young"))
    for path in (left, young):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    store.sweep()
    assert (left.exists(), young.exists(), store.read(kept)) == (False, True, b"whole")
