"""Sources of rows, and parts of a dataset. Large ones are made when their test asks for them."""

import gzip
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.hostile_files.hostile import MIB, Hostile, pickled, written


def parquet(texts: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    labels = pa.array(["a", "b"] * (len(texts) // 2))
    pq.write_table(pa.table({"text": texts, "label": labels}), sink, compression="zstd", **options)
    return sink.getvalue()


def repeated(_: Path) -> bytes:
    """Its rows share one text of 1 MiB: 3 GB when they are written out."""
    indices = pa.array(np.zeros(3_000, np.int32))
    return parquet(pa.DictionaryArray.from_arrays(indices, pa.array(["x" * MIB])))


def damaged(data: bytes) -> bytes:
    """All of its pages are gone; its end, which lists them, is whole."""
    return data[:4] + bytes(len(data) * 3 // 4) + data[4 + len(data) * 3 // 4 :]


def never_closed() -> bytes:
    """After honest rows each line closes one quoted field and opens the next: one record as long as the file."""
    line = b'\n","' + b"x" * 1000
    return b"text,label\n" + b'"x, y","a"\n' * 2_000 + b'"x' + line * (8 * MIB // len(line))


def sources() -> Iterator[Hostile]:
    line = 100 * MIB
    none = "no row was accepted"
    files: dict[str, tuple[str, bytes | Callable[[Path], bytes], str]] = {
        "a CSV line of 100 MB": ("x.csv", lambda _: b"text,label\n" + b"x" * line, none),
        "a CSV header of 100 MB": (
            "x.csv", lambda _: b"x" * line, "header line cannot be read|field text names column"
        ),
        "a JSON line of 100 MB": ("x.jsonl", lambda _: b'{"text": "' + b"x" * line + b'", "label": "a"}', none),
        "a CSV record without end": ("x.csv", lambda _: never_closed(), "expected at least two labels"),
        "CSV lines of commas": ("x.csv", lambda _: b"text,label\n" + (b"," * MIB + b"\n") * 4, none),
        "a gzip that is named CSV": (
            "x.csv", lambda _: gzip.compress(bytes(64 * MIB)), "names column|cannot be read|twice|none"
        ),
        "a gzip by its name": ("x.csv.gz", gzip.compress(b"text,label\n"), "it is compressed with gzip"),
        "UTF-16": ("x.csv", "text,label\ngood,a\n".encode("utf-16"), "expected at least two labels"),
        "UTF-16 in JSON": ("x.jsonl", '{"text":"a","label":"b"}\n'.encode("utf-16"), "expected at least two labels"),
        "NUL in every text": ("x.jsonl", b'{"text":"a\\u0000b","label":"a"}\n' * 9, none),
        "deep JSON": ("x.jsonl", b'{"text":' * 50_000 + b"\n", none),
        "a pickle": ("x.jsonl", pickled, "it is a pickle"),
        "a pickle that is named Parquet": ("x.parquet", pickled, "cannot be read as Parquet"),
        "nothing that is named Parquet": ("x.parquet", b"", "cannot be read as Parquet"),
        "a Parquet file without its end": ("x.parquet", parquet(["good"] * 10)[:-9], "cannot be read as Parquet"),
        "a damaged Parquet file": (
            "x.parquet", damaged(parquet([os.urandom(20).hex() for _ in range(1000)])), "cannot be read as Parquet"
        ),
        "a Parquet bomb": (
            "x.parquet", lambda _: parquet(["x" * (4 * MIB)] * 20, use_dictionary=False), "unpacks to"
        ),
        "one large text 3,000 times": ("x.parquet", repeated, none),
    }  # fmt: skip
    for name, (file, data, words) in files.items():
        yield Hostile(name, written(file, data), words)


def parts() -> Iterator[Hostile]:
    words = "must be Parquet with columns text and label"
    files: dict[str, bytes | Callable[[Path], bytes]] = {
        "nothing": b"",
        "a pickle": pickled,
        "truncated": parquet(["good"] * 10)[:-9],
        "damaged": damaged(parquet([os.urandom(20).hex() for _ in range(1000)])),
    }
    for name, data in files.items():
        yield Hostile(name, written("part", data), words)
