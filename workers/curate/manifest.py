"""Writes a dataset version: Parquet parts, and the digest that says what it is whatever wrote its bytes."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.artifacts import SPLITS, DatasetPart, Split
from schemas.jobs.curate import CurateSpec
from workers.curate.rows import Row
from workers.runtime.artifacts import ArtifactStore

COLUMNS: Final = {"text": "string", "label": "string", "group": "string"}
SCHEMA: Final = pa.schema([(name, pa.string()) for name in COLUMNS])
OF_ALL_ROWS: Final = {"min_words", "max_words", "long_texts", "splits", "seed"}
OF_A_SOURCE: Final = {"group_pattern", "label_thresholds", "limit", "offset"}
PART_ROWS: Final = 50_000


def dataset_digest(rows: Mapping[Split, Sequence[Row]], labels: Sequence[str], spec: CurateSpec) -> str:
    """Over canonical rows (sorted, one JSON array a line), their splits, the schema and what chose them.

    Where the rows were read from and how is no part of it, nor is a setting that has its default: the same rows from
    another path, format or delimiter are the same dataset, and so they are when a setting is added.
    """
    sha256 = hashlib.sha256()
    header = {"columns": COLUMNS, "labels": list(labels), "operators": resolved_operators(spec)}
    sha256.update(_canonical(header))
    canonical = sorted((split, row.text, row.label, row.group or "") for split in rows for row in rows[split])
    for row in canonical:
        sha256.update(_canonical(row))
    return "sha256:" + sha256.hexdigest()


def resolved_operators(spec: CurateSpec) -> dict[str, Any]:
    """The settings that choose and change rows, without those that have their default."""
    of_sources = [source.model_dump(mode="json", include=OF_A_SOURCE, exclude_defaults=True) for source in spec.sources]
    return {
        **spec.model_dump(mode="json", include=OF_ALL_ROWS, exclude_defaults=True),
        **({"sources": chosen} if (chosen := [one for one in of_sources if one]) else {}),
    }


def write_parts(
    rows: Mapping[Split, Sequence[Row]], artifacts: ArtifactStore, workdir: Path
) -> tuple[DatasetPart, ...]:
    return tuple(
        DatasetPart(split=split, rows=len(part), artifact=artifacts.put_file(path, "application/vnd.apache.parquet"))
        for split in SPLITS
        for part in _parts(rows[split])
        for path in (_write(part, workdir / "part.parquet"),)
    )


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), PART_ROWS):
        yield rows[start : start + PART_ROWS]


def _write(rows: Sequence[Row], path: Path) -> Path:
    columns = [[row.text for row in rows], [row.label for row in rows], [row.group for row in rows]]
    pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="zstd")
    return path


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
