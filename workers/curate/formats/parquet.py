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

BATCH = 1_000
MAX_GROUP_BYTES = 2 << 30
"""Of one column of one row group, unpacked."""
MAX_MEAN_BYTES = 1 << 20
"""Of a value, on average: so much is one line of the other formats."""


def read(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    names = list(dict.fromkeys(needed_columns(source).values()))
    try:
        metadata = pq.read_metadata(path)
        check_columns(source, set(metadata.schema.to_arrow_schema().names))
        _check_sizes(metadata, names, source)
        with pq.ParquetFile(path, read_dictionary=names) as file:
            line = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=names):
                for values in zip(*(_values(batch.column(name)) for name in names), strict=True):
                    line += 1
                    yield Record(line, dict(zip(names, values, strict=True)))
    except (pa.ArrowException, OSError) as error:
        raise JobError(f"source {source.uri}: it cannot be read as Parquet: {error}") from error


def _check_sizes(metadata: Any, names: list[str], source: Source) -> None:
    """A small file may hold gigabytes of one repeated character."""
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        for column in (group.column(number) for number in range(group.num_columns)):
            size = column.total_uncompressed_size
            if column.path_in_schema in names and size > min(MAX_GROUP_BYTES, MAX_MEAN_BYTES * (group.num_rows + 1)):
                raise JobError(
                    f"source {source.uri}: column {column.path_in_schema!r} unpacks to {size} bytes in "
                    f"{group.num_rows} rows; expected at most {MAX_GROUP_BYTES}, and {MAX_MEAN_BYTES} a row"
                )


def _values(column: Any) -> list[object]:
    if pa.types.is_dictionary(column.type):
        # Looked up, not unpacked: a thousand rows may share one large value.
        known = _values(column.dictionary)
        return [None if index is None else known[index] for index in column.indices.to_pylist()]
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        # Parquet does not promise that a string is UTF-8: one bad value must cost its own row only.
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw]
    values: list[object] = column.to_pylist()
    return values
