"""Parquet, read batch by batch and only the columns that are asked for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.jobs.curate import Source
from workers.curate.formats.columns import LISTS, check_columns, is_labelled, needed_columns
from workers.curate.rows import Record, Unreadable
from workers.runtime.errors import JobError

BATCH = 1_000
MAX_GROUP_BYTES = 2 << 30
"""Bytes of one column of one row group, unpacked."""
MAX_MEAN_BYTES = 1 << 20
"""Bytes of a value, on average over a column of a row group: so much is one line of the other formats."""
_TEXTS: Final = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view,
    pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary,
    pa.types.is_null,
)  # fmt: skip
_SCALARS: Final = (
    *_TEXTS, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_date,
)  # fmt: skip


def read(path: Path, source: Source) -> Iterator[Record | Unreadable]:
    names = list(dict.fromkeys(needed_columns(source).values()))
    try:
        with pq.ParquetFile(path) as file:
            _check_schema(file.schema_arrow, source)
            _check_sizes(file.metadata, names, source)
            classes = _class_names(file.schema_arrow, source.label) if is_labelled(source) else []
            values = [name for name in names if not pa.types.is_nested(file.schema_arrow.field(name).type)]
        with pq.ParquetFile(path, read_dictionary=values) as file:
            line = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=names):
                columns = {name: _values(batch.column(batch.schema.names.index(name))) for name in names}
                if classes:
                    columns[source.label] = [_class(value, classes) for value in columns[source.label]]
                for row in zip(*columns.values(), strict=True):
                    line += 1
                    yield Record(line, dict(zip(names, row, strict=True)))
    except JobError:
        raise
    except Exception as error:  # whatever a damaged file makes the library say: its words are no reason for a person
        raise JobError(f"source {source.uri}: it cannot be read as Parquet: it is damaged, or no Parquet") from error


def columns(path: Path, source: Source) -> list[str]:
    try:
        names: list[str] = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise JobError(f"source {source.uri}: it cannot be read as Parquet: it is damaged, or no Parquet") from error
    return names


def _check_schema(schema: pa.Schema, source: Source) -> None:
    check_columns(source, set(schema.names))
    for field, name in needed_columns(source).items():
        if schema.names.count(name) > 1:
            raise JobError(f"source {source.uri}: it has column {name!r} twice, which field {field} asks for")
        kind = schema.field(schema.names.index(name)).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if field in LISTS and (pa.types.is_list(plain) or pa.types.is_large_list(plain)):
            continue
        if not any(fits(plain) for fits in (_SCALARS if field in ("label", "group") else _TEXTS)):
            expected = "text, numbers, booleans or dates" if field in ("label", "group") else "text"
            raise JobError(
                f"source {source.uri}: field {field} names column {name!r}, whose Arrow type is {kind}; "
                f"expected {expected}"
            )


def _check_sizes(metadata: Any, names: list[str], source: Source) -> None:
    """A small file may hold gigabytes of one repeated character."""
    for index in range(metadata.num_row_groups):
        group = metadata.row_group(index)
        for column in (group.column(number) for number in range(group.num_columns)):
            size = column.total_uncompressed_size
            if column.path_in_schema.split(".list.")[0] in names and size > min(
                MAX_GROUP_BYTES, MAX_MEAN_BYTES * (group.num_rows + 1)
            ):
                raise JobError(
                    f"source {source.uri}: column {column.path_in_schema!r} unpacks to {size} bytes in "
                    f"{group.num_rows} rows; expected at most {MAX_GROUP_BYTES}, and {MAX_MEAN_BYTES} a row"
                )


def _values(column: Any) -> list[object]:
    if pa.types.is_dictionary(column.type):
        # Looked up, not unpacked: a thousand rows may share one large value.
        known = _values(column.dictionary)
        return [None if index is None else known[index] for index in column.indices.to_pylist()]
    if any(fits(column.type) for fits in _TEXTS) and not pa.types.is_null(column.type):
        # Parquet does not promise that a string is UTF-8: one bad value must cost its own row only.
        raw = column.cast(pa.large_binary()).to_pylist()
        return [None if value is None else value.decode("utf-8", "surrogateescape") for value in raw]
    if pa.types.is_float16(column.type) or pa.types.is_float32(column.type) or pa.types.is_date(column.type):
        # As the shortest text that means this value, not as the nearest double.
        column = pc.cast(column, pa.string())
    values: list[object] = column.to_pylist()
    return values


def _class_names(schema: pa.Schema, label: str) -> list[str]:
    """The names behind the numbers of a ClassLabel, which Hugging Face's `datasets` keeps beside the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        names = features[label]["names"] if features[label]["_type"] == "ClassLabel" else []
    except (KeyError, TypeError, ValueError):
        return []
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def _class(value: object, names: list[str]) -> object:
    """-1 is how `datasets` writes that there is no label."""
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None
