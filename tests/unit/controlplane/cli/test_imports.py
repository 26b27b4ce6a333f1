"""A file of one's own becomes a copy that its content names, and everything that is written is its owner's alone."""

import hashlib
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from controlplane.client.imports import keep_copy
from processes.file_permissions import make_home
from tests.support.disk import Disk
from workers.runtime.errors import SourceError
from workers.runtime.sources import Sources


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_two_files_of_one_name_never_meet_and_one_file_is_kept_once(tmp_path: Path) -> None:
    uris = []
    for name in ("a", "b"):
        file = tmp_path / name / "train.CSV"
        file.parent.mkdir()
        file.write_text(f"text,label\n{name},x\n")
        uris.append(keep_copy(file, tmp_path / "data"))
    sources = Sources(tmp_path / "cache", [tmp_path / "data"])
    assert [sources.fetch(uri).read_text().split()[1] for uri in uris] == ["a,x", "b,x"]
    assert keep_copy(tmp_path / "a" / "train.CSV", tmp_path / "data") == uris[0]
    assert len(list((tmp_path / "data").iterdir())) == 2
    sha256 = hashlib.sha256(b"text,label\na,x\n").hexdigest()
    assert uris[0] == f"{(tmp_path / 'data' / sha256).as_uri()}.csv#sha256={sha256}"


def test_a_copy_that_was_changed_is_refused_and_mended_by_the_next_import(tmp_path: Path) -> None:
    file = tmp_path / "own rows.csv"
    file.write_text("text,label\n")
    uri = keep_copy(file, tmp_path / "data")
    (copy,) = (tmp_path / "data").iterdir()
    copy.chmod(0o600)
    copy.write_text("text,label\nplanted,x\n")
    sources = Sources(tmp_path / "cache", [tmp_path / "data"])
    with pytest.raises(SourceError, match="the file has sha256"):
        sources.fetch(uri)
    assert keep_copy(file, tmp_path / "data") == uri
    assert sources.fetch(uri).read_text() == "text,label\n"


def test_a_copy_is_on_disk_before_a_job_can_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("text,label\n" * 9000)
    disk = Disk(tmp_path / "data" / f"{hashlib.sha256(file.read_bytes()).hexdigest()}.csv")
    disk.watch(monkeypatch)
    keep_copy(file, tmp_path / "data")
    assert disk.holds_bytes_before_the_name(disk.target)
    assert disk.holds_name()


def test_what_is_kept_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("")
    (tmp_path / "data").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        keep_copy(tmp_path / "x.csv", tmp_path / "data")
    finally:
        os.umask(before)
    (copy,) = (tmp_path / "data").iterdir()
    assert (mode(tmp_path / "data"), mode(copy)) == (0o700, 0o400)


def test_a_home_that_was_open_is_closed_and_its_folder_keeps_its_mode(tmp_path: Path) -> None:
    for name in ("data", "artifacts", "logs"):
        (tmp_path / name).mkdir(mode=0o755)
    for name in ("graftwork.db", "graftwork.db-wal", "graftwork.db-shm", "graftwork.db.bak"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o644)
    (tmp_path / "mine.txt").write_text("")
    (tmp_path / "mine.txt").chmod(0o644)
    tmp_path.chmod(0o755)
    make_home(tmp_path)
    assert (mode(tmp_path), mode(tmp_path / "mine.txt")) == (0o755, 0o644)
    assert {mode(path) for path in tmp_path.glob("graftwork.db*")} == {0o600}
    assert {mode(tmp_path / name) for name in ("data", "artifacts", "logs")} == {0o700}


def test_the_database_of_a_home_in_an_open_folder_is_its_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "site"
    home.mkdir(mode=0o755)
    environment = {**os.environ, "GRAFTWORK_HOME": str(home)}
    command = f"umask 000; exec {sys.executable} -m controlplane db upgrade"
    subprocess.run(["sh", "-c", command], env=environment, check=True, capture_output=True, timeout=120)
    files = [path for path in home.rglob("*") if path.is_file()]
    assert home / "graftwork.db" in files
    assert not [path for path in files if mode(path) & 0o077]
