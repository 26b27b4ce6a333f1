"""Parquet, read batch by batch and only the columns that are asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.jobs import Source
from workers.curate.formats.columns import check_columns, needed_columns
from workers.curate.rows import Record, Unreadable
from workers.runtime.errors import JobError

BATCH = 10_000


def read(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    try:
        with pq.ParquetFile(path) as file:
            present = set(file.schema_arrow.names)
            check_columns(source, present)
            columns = list(dict.fromkeys(needed_columns(source).values()))
            line = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=columns):
                for values in zip(*(_values(batch.column(name)) for name in columns), strict=True):
                    line += 1
                    yield Record(line, dict(zip(columns, values, strict=True)))
    except (pa.ArrowException, OSError) as error:
        raise JobError(f"source {source.uri}: it cannot be read as Parquet: {error}") from error


def _values(column: Any) -> list[object]:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        # Parquet does not promise that a string is UTF-8: one bad value must cost its own row only.
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw]
    values: list[object] = column.to_pylist()
    return values
