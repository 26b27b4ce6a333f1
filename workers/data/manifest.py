"""A dataset version as workers read it: its manifest, and the rows of the parts that the manifest lists."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pydantic import ValidationError

from schemas.artifacts import ArtifactRef, DatasetRef, Digest, Split
from schemas.data.manifest import DatasetManifest
from schemas.data.rows import ROW_SCHEMAS, RowSchema
from workers.data.parts import read_part
from workers.data.rows import ROWS, Row, canonical, written
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.errors import JobError


@dataclass(frozen=True)
class Rows:
    """Texts and their labels, index by index, in the manifest's order."""

    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.texts)


def dataset_digest(
    rows: Mapping[Split, Sequence[Row]],
    schema: RowSchema,
    labels: Sequence[str],
    operators: Sequence[Mapping[str, Any]],
) -> Digest:
    """Over the row schema, labels, resolved operators, and canonical rows with their splits, sorted.

    Where the rows were read from and how is no part of it, nor is a setting that has its default: the same rows from
    another path, format or delimiter are the same dataset, and so they are when a setting is added.
    """
    sha256 = hashlib.sha256()
    header = {"row_schema": schema.name, "columns": schema.stored, "labels": labels, "operators": operators}
    sha256.update(written(header))
    lines = (written((split, *canonical(row, schema), row.group or "")) for split, held in rows.items() for row in held)
    for line in sorted(lines):
        sha256.update(line)
    return "sha256:" + sha256.hexdigest()


def write_manifest(artifacts: ArtifactStore, manifest: DatasetManifest) -> ArtifactRef:
    return artifacts.put_bytes(manifest.model_dump_json().encode(), "application/json")


def read_manifest(artifacts: ArtifactStore, dataset: DatasetRef) -> DatasetManifest:
    try:
        return DatasetManifest.model_validate_json(artifacts.read(dataset.manifest))
    except ValidationError as error:
        raise JobError(f"dataset {dataset.dataset}/{dataset.version}: its manifest is not readable: {error}") from error


def read_split(artifacts: ArtifactStore, dataset: DatasetRef, split: Split) -> Rows:
    """The rows of one split; none when the version has no such split."""
    manifest, rows = read_manifest(artifacts, dataset), Rows([], [])
    if manifest.row_schema != "text_label":
        raise JobError(
            f"dataset {dataset.dataset}/{dataset.version} has rows of {manifest.row_schema}; expected text_label"
        )
    for part in manifest.parts:
        if part.split == split:
            where = f"{dataset.dataset}/{dataset.version} split {split}"
            table = read_part(part, artifacts, tuple(ROW_SCHEMAS["text_label"].columns), where)
            rows.texts.extend(table.column("text").cast(pa.string()).to_pylist())
            rows.labels.extend(table.column("label").cast(pa.string()).to_pylist())
    return rows


def read_rows(artifacts: ArtifactStore, dataset: DatasetRef, split: Split) -> list[Row]:
    """The rows of one split, whatever their row schema; none when the version has no such split."""
    found: list[Row] = []
    for part in read_manifest(artifacts, dataset).parts:
        if part.split == split:
            columns = tuple(ROW_SCHEMAS[part.row_schema].columns)
            table = read_part(part, artifacts, columns, f"{dataset.dataset}/{dataset.version} split {split}")
            values = zip(*(table.column(name).to_pylist() for name in columns), strict=True)
            found.extend(ROWS[part.row_schema](*one, split=split) for one in values)
    return found


def count_trained_on(artifacts: ArtifactStore, rows: Iterable[Row], trained_on: Sequence[DatasetRef]) -> int:
    """How many of these rows ask what is asked in the train splits of those versions, as curation tells equal texts."""
    asked = Counter(row.question for row in rows)
    learnt = {row.question for dataset in trained_on for row in read_rows(artifacts, dataset, "train")}
    return sum(count for key, count in asked.items() if key in learnt)
