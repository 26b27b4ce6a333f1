"""Archives: bombs, links, devices and names that lead outside. Large ones are made when their test asks for them."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.hostile_files.hostile import MIB, Hostile, written


def tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT) as file:
        for info, data in members:
            info.size = len(data) or info.size
            file.addfile(info, io.BytesIO(data) if data else None)
    return sink.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zipped(name: str, data: bytes, mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as file:
        info = zipfile.ZipInfo(name)
        info.external_attr, info.compress_type = mode << 16, method
        file.writestr(info, data)
    return sink.getvalue()


def zeros() -> bytes:
    """What packs to next to nothing."""
    return bytes(256 * MIB)


def header_bomb(kind: bytes) -> bytes:
    """A tar whose first header says that 1 GiB of name follow."""
    info = member("x", kind)
    info.size = 1 << 30
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(8 * MIB))


def sparse() -> bytes:
    """One byte, and 8 GiB of hole."""
    info = member("sparse", tarfile.GNUTYPE_SPARSE)
    info.size = 512
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    fields = {386: f"{0o77777777000:011o}", 398: f"{512:011o}", 483: f"{8 << 30:011o}"}
    for at, octal in fields.items():
        block[at : at + 12] = octal.encode() + b"\0"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block) + b"x" * 512 + bytes(1024)


def zip_with_directory(size: int) -> bytes:
    """A zip that says its directory has so many bytes, and has them."""
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0)
    return b"\0" * size + end


NAMES = ("../evil", "/evil", "a/../../evil", "a\\..\\evil")
DEVICES = {
    "a symbolic link": (tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": (tarfile.LNKTYPE, "/etc/passwd"),
    "a character device": (tarfile.CHRTYPE, ""),
    "a block device": (tarfile.BLKTYPE, ""),
    "a pipe": (tarfile.FIFOTYPE, ""),
}


def archives() -> Iterator[Hostile]:
    good = tar([(member("a"), bytes(range(256)) * 400)])
    apart = "neither a file nor a folder"
    files: dict[str, tuple[bytes | Callable[[Path], bytes], str]] = {
        "nothing": (b"", "cannot be unpacked|holds nothing"),
        "a truncated tar": (good[:-60_000], "cannot be unpacked|damaged"),
        "a truncated gzip": (gzip.compress(good)[:-200], "cannot be unpacked|damaged"),
        "a truncated xz": (lzma.compress(good)[:-200], "cannot be unpacked|damaged"),
        "a truncated zip": (zipped("a", bytes(range(256)) * 400)[:-30], "cannot be unpacked"),
        "a zip bomb": (lambda _: zipped("a", zeros()), "more than 200 times its size"),
        "a gzip bomb": (lambda _: gzip.compress(tar([(member("a"), zeros())]), 9), "more than 200 times its size"),
        "a bzip2 bomb": (lambda _: bz2.compress(tar([(member("a"), zeros())])), "more than 200 times its size"),
        "an xz bomb": (
            lambda _: lzma.compress(tar([(member("a"), zeros())]), preset=1),
            "more than 200 times its size",
        ),
        "an xz that wants 1.5 GiB": (
            lambda _: lzma.compress(good, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": (1 << 30) + (1 << 29)}]),
            "(?i)memory",
        ),
        "a sparse file of 8 GiB": (sparse(), "sparse file"),
        "a name of 1 GiB": (lambda _: header_bomb(tarfile.GNUTYPE_LONGNAME), "header of 1073741824 bytes"),
        "a pax header of 1 GiB": (lambda _: header_bomb(tarfile.XHDTYPE), "header of 1073741824 bytes"),
        "60,000 entries": (lambda _: tar([(member(str(n)), b"") for n in range(60_000)]), "more than 50000 entries"),
        "a directory of 33 MiB": (lambda _: zip_with_directory(33 * MIB), "directory has"),
        "a zip member by LZMA": (zipped("a", b"x", method=zipfile.ZIP_LZMA), "neither stored nor deflated"),
        "a zip's symbolic link": (zipped("a", b"/etc/passwd", 0o120777), apart),
        "a zip's device": (zipped("a", b"", 0o060777), apart),
        "one name twice": (tar([(member("a"), b"1"), (member("a"), b"2")]), "twice"),
        "a size that is negative": (negative_size(), "of -1 bytes|cannot be unpacked"),
    }
    for name, (data, words) in files.items():
        yield Hostile(name, written("archive", data), words)
    for name in NAMES:
        yield Hostile(f"tar: {name}", written("archive", tar([(member(name), b"x")])), "leaves the archive")
        yield Hostile(f"zip: {name}", written("archive", zipped(name, b"x")), "leaves the archive")
    for name, (kind, link) in DEVICES.items():
        yield Hostile(name, written("archive", tar([(member("a", kind, link), b"")])), apart)


def negative_size() -> bytes:
    block = bytearray(member("a").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 12  # base 256, all bits set: -1
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block) + bytes(1024)
