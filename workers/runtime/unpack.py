"""Taking files out of an archive from elsewhere: nothing is run, and nothing lands outside the target folder."""

import bz2
import contextlib
import gzip
import io
import lzma
import shutil
import struct
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
"""Bytes of one unpacking with all that is nested in it, counted as they come out: no archive's header is believed."""
MAX_ENTRIES = 50_000
"""Files and folders of one unpacking with all that is nested in it."""
MAX_RATIO = 200
"""Bytes that come out for each byte of the archive; models and rows stay below 20."""
FREE_OF_RATIO = 64 << 20
"""So much may come out of a small archive at whatever ratio."""
MAX_HEADER_BYTES = 1 << 20
"""Bytes of one name or extended header of a tar, which is read into memory."""
MAX_DIRECTORY_BYTES = 32 << 20
"""Bytes of a zip's directory, which is read into memory."""
XZ_MEMORY_BYTES = 256 << 20
"""A stream that names a larger dictionary is refused."""

ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
HEADER_TYPES = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
# zipfile says RuntimeError to an encrypted member and to a compression that it does not know, ValueError and
# struct.error to a directory that does not hold together; tarfile's ValueError is a number that is none.
READ_ERRORS = (
    tarfile.TarError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, RuntimeError, ValueError, struct.error
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One member of an archive, of a kind that may be unpacked."""

    name: PurePosixPath
    is_file: bool
    data: IO[bytes]


class Budget:
    """Counts what comes out of an archive, and of those nested in it, and stops a bomb."""

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


class _Allowance:
    """One archive's part of a budget: it may not grow out of proportion either."""

    def __init__(self, archive: Path, budget: Budget) -> None:
        self._budget = budget
        self._left = max(FREE_OF_RATIO, MAX_RATIO * archive.stat().st_size)
        self.spend_entry = budget.spend_entry

    def spend(self, size: int) -> None:
        self._budget.spend(size)
        self._left -= size
        if self._left < 0:
            raise SourceError(f"the archive unpacks to more than {MAX_RATIO} times its size")


def unpack(archive: Path, inner: str, target: Path, strip_top: bool = False, budget: Budget | None = None) -> Path:
    """Copy the member `inner` (a file or a folder; empty: everything) into `target` and return where it lies.

    `strip_top` leaves out the first folder of every name, which a source distribution has by rule. One `budget` for
    an archive and for those that lie in it bounds what they hold together.
    """
    wanted = PurePosixPath(inner) if inner else PurePosixPath(".")
    _check_name(inner or ".", archive)
    written = 0
    try:
        for entry in _entries(archive, _Allowance(archive, budget or Budget())):
            name = PurePosixPath(*entry.name.parts[1:]) if strip_top else entry.name
            if entry.is_file and name.is_relative_to(wanted):
                _write(entry, target / name)
                written += 1
    except READ_ERRORS as error:
        raise SourceError(f"{archive.name} cannot be unpacked: {error}") from error
    if not written:
        raise SourceError(f"{archive.name} holds nothing at path {inner!r}")
    return target / wanted


class _Metered(io.RawIOBase):
    """A readable stream whose bytes are charged to a budget."""

    def __init__(self, stream: IO[bytes], budget: _Allowance) -> None:
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


def _write(entry: Entry, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as out:
            shutil.copyfileobj(entry.data, out, CHUNK)
    except FileExistsError as error:
        raise SourceError(f"the archive holds {entry.name} twice") from error
    path.chmod(0o400)


def _entries(archive: Path, budget: _Allowance) -> Iterator[Entry]:
    return _zip_entries(archive, budget) if zipfile.is_zipfile(archive) else _tar_entries(archive, budget)


class _ModestReads(io.FileIO):
    """zipfile reads a directory in one piece, of the size that the archive says."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_DIRECTORY_BYTES:
            raise SourceError(f"the archive's directory has {size} bytes, expected at most {MAX_DIRECTORY_BYTES}")
        return super().read(-1 if size is None else size) or b""


def _zip_entries(archive: Path, budget: _Allowance) -> Iterator[Entry]:
    with _ModestReads(archive) as raw, zipfile.ZipFile(raw) as file:
        for info in file.infolist():
            budget.spend_entry()
            name = _check_name(info.filename, archive)
            mode = info.external_attr >> 16
            # S_IFMT of a Unix zip: 0 (not recorded), a regular file or a folder; anything else is a link or a device.
            if mode & 0o170000 not in (0, 0o100000, 0o040000):
                raise SourceError(f"{archive.name} holds {info.filename!r}, which is neither a file nor a folder")
            if info.compress_type not in ZIP_METHODS:
                raise SourceError(f"{archive.name} holds {info.filename!r}, which is neither stored nor deflated")
            if info.is_dir():
                yield Entry(name, False, io.BytesIO())
                continue
            with file.open(info) as data, contextlib.closing(_Metered(data, budget)) as metered:
                yield Entry(name, True, metered)  # type: ignore[arg-type]


class _ModestHeader(tarfile.TarInfo):
    """A tar's own header may say that the next name has gigabytes: tarfile would read them into memory."""

    def _proc_member(self, file: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in HEADER_TYPES and self.size > MAX_HEADER_BYTES:
            raise SourceError(f"the archive has a header of {self.size} bytes, expected at most {MAX_HEADER_BYTES}")
        member: tarfile.TarInfo = super()._proc_member(file)  # type: ignore[misc]
        return member


def _tar_entries(archive: Path, budget: _Allowance) -> Iterator[Entry]:
    with archive.open("rb") as raw:
        decompress = DECOMPRESSORS.get(raw.read(2))
        raw.seek(0)
        stream = decompress(raw) if decompress else raw
        # Stream mode reads once, forwards, so that every byte is charged before tarfile looks at it.
        with tarfile.open(fileobj=_Metered(stream, budget), mode="r|", tarinfo=_ModestHeader) as file:
            for info in file:
                budget.spend_entry()
                name = _check_name(info.name, archive)
                if not (info.isreg() or info.isdir()):
                    raise SourceError(f"{archive.name} holds {info.name!r}, which is neither a file nor a folder")
                if info.size < 0:
                    raise SourceError(f"{archive.name} holds {info.name!r} of {info.size} bytes")
                if info.sparse is not None:  # its holes cost the archive nothing, and us a disk
                    raise SourceError(f"{archive.name} holds {info.name!r}, which is a sparse file")
                data = file.extractfile(info) if info.isreg() else None
                yield Entry(name, info.isreg(), data or io.BytesIO())


class _Xz(io.RawIOBase):
    """lzma.open with a limit on memory, which a stream's header can set to gigabytes."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._decompressor = lzma.LZMADecompressor(memlimit=XZ_MEMORY_BYTES)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._decompressor.eof:
            needs = self._decompressor.needs_input
            data = self._raw.read(CHUNK) if needs else b""
            if needs and not data:
                raise EOFError("the stream ends before its end")
            if out := self._decompressor.decompress(data, CHUNK if size < 0 else size):
                return out
        return b""


DECOMPRESSORS: dict[bytes, Callable[[IO[bytes]], Any]] = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": _Xz}


def _check_name(name: str, archive: Path) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise SourceError(f"{archive.name}: the path {name!r} leaves the archive")
    return path
