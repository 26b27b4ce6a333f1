"""What was written outlives a loss of power: its bytes are on disk before its name, its name before anybody is told."""

from pathlib import Path

import pytest

from schemas.serving import Generation
from tests.support.builders.models import served_version
from tests.support.disk import Disk
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.files import publish_folder
from workers.serve.files import GatewayFiles

BYTES = b"weights" * 5000


def test_an_artifact_is_on_disk_before_it_is_named_and_when_its_reference_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = ArtifactStore((tmp_path / "elsewhere").as_uri(), tmp_path / "cache").put_bytes(BYTES, "x/y")
    disk = Disk(tmp_path / "store" / ref.location)
    disk.watch(monkeypatch)
    ArtifactStore((tmp_path / "store").as_uri(), tmp_path / "cache").put_bytes(BYTES, "x/y")
    assert disk.holds_bytes_before_the_name(disk.target)
    assert disk.holds_name()
    assert disk.holds_the_way()


def test_a_folder_of_the_cache_is_whole_on_disk_before_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(tmp_path / "model")
    disk.watch(monkeypatch)
    with publish_folder(disk.target) as folder:
        (folder / "deep").mkdir()
        for name in ("config.json", "deep/weights"):
            (folder / name).write_bytes(BYTES + name.encode())
    for path in (disk.target, *disk.target.rglob("*")):
        assert disk.holds_bytes_before_the_name(path), path


def test_the_generation_that_a_gateway_keeps_is_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = GatewayFiles(tmp_path, "d", "g")
    disk = Disk(files.folder / "desired.json")
    disk.watch(monkeypatch)
    try:
        files.keep("desired", Generation(deployment="d", generation=1, stable=served_version(1), signing_key=""))
    finally:
        files.close()
    assert disk.holds_bytes_before_the_name(disk.target)
    assert disk.holds_name()
