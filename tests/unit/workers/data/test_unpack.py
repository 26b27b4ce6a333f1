"""Archives from strangers: what is taken out, and what is refused."""

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from workers.runtime import unpack as unpacking
from workers.runtime.errors import SourceError
from workers.runtime.unpack import unpack


def tar(path: Path, files: Mapping[str, bytes], change: Callable[[tarfile.TarInfo], None] | None = None) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if change:
                change(info)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, files: Mapping[str, bytes], mode: int = 0) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


FILES = {"top/a/one.txt": b"1", "top/a/two.txt": b"2", "top/b/three.txt": b"3"}


@pytest.mark.parametrize("make", [tar, zipped])
def test_one_file_or_one_folder_is_taken_out(tmp_path: Path, make: Callable[..., Path]) -> None:
    archive = make(tmp_path / "x.archive", FILES)
    assert unpack(archive, "top/a/one.txt", tmp_path / "file").read_bytes() == b"1"
    folder = unpack(archive, "a", tmp_path / "folder", strip_top=True)
    assert sorted(path.name for path in folder.iterdir()) == ["one.txt", "two.txt"]
    assert not (tmp_path / "folder" / "b").exists()
    assert len(list(unpack(archive, "", tmp_path / "all").rglob("*.txt"))) == 3


@pytest.mark.parametrize("make", [tar, zipped])
@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil"])
def test_a_name_that_leaves_the_archive_is_refused(tmp_path: Path, make: Callable[..., Path], name: str) -> None:
    archive = make(tmp_path / "x.archive", {"fine.txt": b"1", name: b"2"})
    with pytest.raises(SourceError, match="leaves the archive"):
        unpack(archive, "", tmp_path / "target")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    archive = tar(tmp_path / "x.tar.gz", {"link": b""}, change)
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        unpack(archive, "", tmp_path / "target")


def test_a_link_of_a_zip_is_refused(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "x.zip", {"link": b"/etc/passwd"}, mode=0o120777)
    with pytest.raises(SourceError, match="neither a file nor a folder"):
        unpack(archive, "", tmp_path / "target")


@pytest.mark.parametrize("make", [tar, zipped])
def test_a_bomb_is_stopped_while_it_unpacks(
    tmp_path: Path, make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_BYTES", 5 << 20)
    archive = make(tmp_path / "x.archive", {"bomb": b"\0" * (64 << 20)})
    assert archive.stat().st_size < 1 << 20
    with pytest.raises(SourceError, match="unpacks to more than"):
        unpack(archive, "bomb", tmp_path / "target")
    written = sum(path.stat().st_size for path in (tmp_path / "target").rglob("*") if path.is_file())
    assert written <= 6 << 20


@pytest.mark.parametrize("make", [tar, zipped])
def test_an_archive_of_too_many_entries_is_refused(
    tmp_path: Path, make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MAX_ENTRIES", 10)
    archive = make(tmp_path / "x.archive", {str(index): b"" for index in range(11)})
    with pytest.raises(SourceError, match="more than 10 entries"):
        unpack(archive, "", tmp_path / "target")


@pytest.mark.parametrize("data", [b"", b"not an archive at all", b"\x1f\x8b\x08\x00broken", b"PK\x03\x04broken"])
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(SourceError, match=r"cannot be unpacked|holds nothing"):
        unpack(tmp_path / "x", "a", tmp_path / "target")


@pytest.mark.parametrize("cut", [20, 200, 2000])
@pytest.mark.parametrize("make", [tar, zipped])
def test_a_truncated_archive_is_refused(tmp_path: Path, make: Callable[..., Path], cut: int) -> None:
    archive = make(tmp_path / "x.archive", {"a": bytes(range(256)) * 400})
    archive.write_bytes(archive.read_bytes()[:-cut])
    with pytest.raises(SourceError):
        unpack(archive, "a", tmp_path / "target")


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing at path 'nowhere'"):
        unpack(tar(tmp_path / "x.tar.gz", FILES), "nowhere", tmp_path / "target")
