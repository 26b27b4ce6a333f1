"""Taking files out of an archive from elsewhere: nothing is run, and nothing lands outside the target folder."""

import bz2
import contextlib
import gzip
import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from workers.runtime.errors import SourceError
from workers.runtime.files import CHUNK

MAX_BYTES = 4 << 30
"""Of one unpacking, counted as they come out: an archive's own header is not believed."""
MAX_ENTRIES = 50_000

DECOMPRESSORS: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}
# zipfile says RuntimeError to an encrypted member and to a compression that it does not know.
READ_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError)


@dataclass(frozen=True)
class Entry:
    """One member of an archive, of a kind that may be unpacked."""

    name: PurePosixPath
    is_file: bool
    data: IO[bytes]


def unpack(archive: Path, inner: str, target: Path, strip_top: bool = False) -> Path:
    """Copy the member `inner` (a file or a folder; empty: everything) into `target` and return where it lies.

    `strip_top` leaves out the first folder of every name, which a source distribution has by rule.
    """
    wanted = PurePosixPath(inner) if inner else PurePosixPath(".")
    _check_name(inner or ".", archive)
    written = 0
    budget = Budget()
    try:
        for entry in _entries(archive, budget):
            name = PurePosixPath(*entry.name.parts[1:]) if strip_top else entry.name
            if entry.is_file and name.is_relative_to(wanted):
                _write(entry, target / name, budget)
                written += 1
    except READ_ERRORS as error:
        raise SourceError(f"{archive.name} cannot be unpacked: {error}") from error
    if not written:
        raise SourceError(f"{archive.name} holds nothing at path {inner!r}")
    return target / wanted


class Budget:
    """Counts what comes out of an archive and stops a bomb."""

    def __init__(self) -> None:
        self._bytes = 0
        self._entries = 0

    def spend_entry(self) -> None:
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise SourceError(f"the archive has more than {MAX_ENTRIES} entries")

    def spend(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise SourceError(f"the archive unpacks to more than {MAX_BYTES} bytes")


class _Metered(io.RawIOBase):
    """A readable stream whose bytes are charged to a budget."""

    def __init__(self, stream: IO[bytes], budget: Budget) -> None:
        self._stream = stream
        self._budget = budget

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(CHUNK if size < 0 else min(size, CHUNK))
        except (OSError, zlib.error, lzma.LZMAError) as error:
            raise SourceError(f"the archive is damaged: {error}") from error
        self._budget.spend(len(data))
        return data


def _write(entry: Entry, path: Path, budget: Budget) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as out:
            shutil.copyfileobj(entry.data, out, CHUNK)
    except FileExistsError as error:
        raise SourceError(f"the archive holds {entry.name} twice") from error
    path.chmod(0o444)


def _entries(archive: Path, budget: Budget) -> Iterator[Entry]:
    return _zip_entries(archive, budget) if zipfile.is_zipfile(archive) else _tar_entries(archive, budget)


def _zip_entries(archive: Path, budget: Budget) -> Iterator[Entry]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            budget.spend_entry()
            name = _check_name(info.filename, archive)
            mode = info.external_attr >> 16
            # S_IFMT of a Unix zip: 0 (not recorded), a regular file or a folder; anything else is a link or a device.
            if mode & 0o170000 not in (0, 0o100000, 0o040000):
                raise SourceError(f"{archive.name} holds {info.filename!r}, which is neither a file nor a folder")
            if info.is_dir():
                yield Entry(name, False, io.BytesIO())
                continue
            with file.open(info) as data, contextlib.closing(_Metered(data, budget)) as metered:
                yield Entry(name, True, metered)  # type: ignore[arg-type]


def _tar_entries(archive: Path, budget: Budget) -> Iterator[Entry]:
    with archive.open("rb") as raw:
        decompress = DECOMPRESSORS.get(raw.read(2))
        raw.seek(0)
        stream = decompress(raw) if decompress else raw
        # Stream mode reads once, forwards, so that every byte is charged before tarfile looks at it.
        with tarfile.open(fileobj=_Metered(stream, budget), mode="r|") as file:
            for info in file:
                budget.spend_entry()
                name = _check_name(info.name, archive)
                if not (info.isreg() or info.isdir()):
                    raise SourceError(f"{archive.name} holds {info.name!r}, which is neither a file nor a folder")
                data = file.extractfile(info) if info.isreg() else None
                yield Entry(name, info.isreg(), data or io.BytesIO())


def _check_name(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise SourceError(f"{archive.name}: the path {name!r} leaves the archive")
    return path
