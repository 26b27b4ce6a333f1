"""Opens a source in its format."""

import codecs
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from schemas.jobs.curate import Source
from workers.curate.formats import delimited, jsonl, parquet
from workers.curate.rows import Record, Unreadable
from workers.runtime.errors import JobError

Reader = Callable[[Path, Source], Iterator[Record | Unreadable]]
READERS: Final[dict[str, Reader]] = {
    "jsonl": jsonl.read,
    "json": jsonl.read,
    "csv": delimited.read_csv,
    "tsv": delimited.read_tsv,
    "parquet": parquet.read,
}
COLUMNS: Final[dict[str, Callable[[Path, Source], list[str]]]] = {
    "jsonl": jsonl.columns,
    "json": jsonl.columns,
    "csv": delimited.csv_columns,
    "tsv": delimited.tsv_columns,
    "parquet": parquet.columns,
}
"""What a file's columns are called, before anybody says which are asked for."""
ENDINGS: Final = {"txt": "tsv", "tab": "tsv", "ndjson": "jsonl", "pq": "parquet"}
"""Other endings of a format."""
NO_TEXT: Final = {
    b"PK\x03\x04": "an Excel workbook or another zip archive; save it as CSV first",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save it as CSV first",
    b"BZh": "compressed with bzip2; unpack it first",
    b"\xfd7zXZ": "compressed with xz; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first",
    b"\x04\x22\x4d\x18": "compressed with lz4; unpack it first",
    b"7z\xbc\xaf": "a 7z archive; unpack it first",
    b"Rar!\x1a": "a rar archive; unpack it first",
    b"PK\x05\x06": "an empty zip archive",
    b"PAR1": "a Parquet file; set its field format to parquet",
    b"ARROW1\0": "an Arrow (Feather) file; save it as Parquet first",
    b"\xff\xff\xff\xff": "an Arrow stream; save it as Parquet first",
    b"Obj\x01": "an Avro file; save it as Parquet first",
    b"\x93numpy": "a NumPy file; save its table as Parquet first",
    b"\x89hdf": "an HDF5 file; save its table as Parquet first",
    b"sqlite format 3": "a SQLite database; save its table as CSV first",
    b"\x80\x02": "a pickle, which is never opened here; save its table as Parquet first",
    b"\x80\x03": "a pickle, which is never opened here; save its table as Parquet first",
    b"\x80\x04": "a pickle, which is never opened here; save its table as Parquet first",
    b"\x80\x05": "a pickle, which is never opened here; save its table as Parquet first",
    b"%pdf": "a PDF document; save its table as CSV first",
    b"{\\rtf": "an RTF document; save its table as CSV first",
    b"version https://git-lfs": "a pointer of Git LFS, and not the file: fetch that with `git lfs pull`",
    b"<!doctype": "an HTML page: was it downloaded without signing in?",
    b"<html": "an HTML page: was it downloaded without signing in?",
    b"<table": "an HTML table, as some programs name `.xls`; save it as CSV first",
    b"<?xml": "XML; save its table as CSV first",
}
"""By the first bytes, letters in lower case: what is no table of text, whatever its name says."""
TAR: Final = (257, b"ustar")
"""Where a tar archive says that it is one."""


def read_records(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    """Every record once; a bad one is `Unreadable`. JobError: the file is none of these, or a column is not there."""
    _check_file(path, source)
    yield from READERS[format_of(path, source)](path, source)


def columns_of(path: Path, source: Source) -> list[str]:
    _check_file(path, source)
    return COLUMNS[format_of(path, source)](path, source)


def _check_file(path: Path, source: Source) -> None:
    if not path.is_file():
        raise JobError(f"source {source.uri}: it is a folder; expected one file of {', '.join(READERS)}")
    if _ending(path, source) != "parquet":
        _refuse_others(path, source)


def _refuse_others(path: Path, source: Source) -> None:
    place, is_tar = TAR
    with path.open("rb") as file:
        head = file.read(place + len(is_tar)).removeprefix(codecs.BOM_UTF8)
    words = next((words for magic, words in NO_TEXT.items() if _begins(head, magic)), None)
    if words is None and head.startswith(is_tar, place):
        words = "a tar archive; unpack it first"
    if words is not None:
        raise JobError(f"source {source.uri}: it cannot be read as text: it is {words}")


def _begins(head: bytes, magic: bytes) -> bool:
    return head.startswith(magic) or head[: len(magic)].lower() == magic


def format_of(path: Path, source: Source) -> str:
    name = _ending(path, source)
    if name not in READERS:
        raise JobError(
            f"source {source.uri}: the ending {path.suffix!r} names no format; set its field format to one of "
            + ", ".join(READERS)
        )
    return name


def _ending(path: Path, source: Source) -> str:
    suffix = path.suffix.lower().strip(". ")
    return source.format or ENDINGS.get(suffix, suffix)
