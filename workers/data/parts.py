"""The Parquet parts of a dataset version: every row once, in its order, in files of a bounded size."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.artifacts import SPLITS, Split
from schemas.data.manifest import DatasetPart
from schemas.data.rows import RowSchema
from workers.data.rows import Row
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.errors import JobError

PARQUET: Final = "application/vnd.apache.parquet"
PART_ROWS: Final = 50_000
_SAID: Final = pa.struct(
    [pa.field("role", pa.string(), nullable=False), pa.field("content", pa.string(), nullable=False)]
)
ARROW: Final = {str(kind): kind for kind in (pa.string(), pa.list_(pa.field("element", _SAID)))}
"""Arrow's types by the names that row schemas have for them."""


def arrow_schema(schema: RowSchema) -> Any:
    return pa.schema([(name, ARROW[kind]) for name, kind in schema.stored.items()])


def write_parts(
    rows: Mapping[Split, Sequence[Row]], schema: RowSchema, artifacts: ArtifactStore, workdir: Path
) -> tuple[DatasetPart, ...]:
    return tuple(
        DatasetPart(split=split, row_schema=schema.name, rows=len(part), artifact=artifacts.put_file(path, PARQUET))
        for split in SPLITS
        for part in _in_parts(rows[split])
        for path in (_write(part, schema, workdir / "part.parquet"),)
    )


def read_part(part: DatasetPart, artifacts: ArtifactStore, needed: Sequence[str], where: str) -> Any:
    """The Arrow table of a part, whose `needed` columns have a value in every row. JobError: it is no such part."""
    try:
        # No thread of Arrow's: one that is still starting when a short job ends would abort its process.
        with pq.ParquetFile(artifacts.fetch(part.artifact), pre_buffer=False) as file:
            table = file.read(use_threads=False)
        empty = [name for name in needed if table.column(name).null_count]
    except (pa.ArrowException, OSError, KeyError) as error:
        raise JobError(
            f"dataset {where}: part {part.artifact.digest} must be Parquet with columns {' and '.join(needed)}: {error}"
        ) from error
    if empty:
        raise JobError(f"dataset {where}: part {part.artifact.digest} holds a row without {' or '.join(needed)}")
    return table


def _in_parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), PART_ROWS):
        yield rows[start : start + PART_ROWS]


def _write(rows: Sequence[Row], schema: RowSchema, path: Path) -> Path:
    columns = [[getattr(row, name) for row in rows] for name in schema.stored]
    pq.write_table(pa.table(columns, schema=arrow_schema(schema)), path, compression="zstd")
    return path
