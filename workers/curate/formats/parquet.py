"""Parquet, read batch by batch and only the columns that are asked for."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.jobs import Source
from workers.curate.rows import Record, Unreadable
from workers.runtime.errors import JobError

BATCH = 10_000


def read(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    try:
        with pq.ParquetFile(path) as file:
            present = set(file.schema_arrow.names)
            columns = [name for name in (source.text, source.label, source.group) if name in present]
            line = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=columns):
                for fields in batch.to_pylist():
                    line += 1
                    yield Record(line, fields)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise JobError(f"source {source.uri}: it cannot be read as Parquet: {error}") from error
