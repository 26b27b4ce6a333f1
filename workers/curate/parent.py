"""The rows of the version that a new one grows from: they and their splits stay as they are."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.artifacts import DatasetManifest, DatasetPart, DatasetRef, Split
from workers.curate.rows import Row
from workers.model.normalize import normalize
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.errors import JobError


@dataclass(frozen=True)
class Parent:
    rows: dict[Split, list[Row]] = field(default_factory=lambda: {"train": [], "validation": [], "test": []})
    labels: tuple[str, ...] = ()
    parts: tuple[DatasetPart, ...] = ()

    @property
    def label_of(self) -> dict[str, str]:
        """The label of each row's key."""
        return {row.key: row.label for rows in self.rows.values() for row in rows}

    @property
    def split_of(self) -> dict[str, Split]:
        """The split of each unit."""
        return {row.unit: split for split, rows in self.rows.items() for row in rows}


def read_parent(ref: DatasetRef | None, artifacts: ArtifactStore) -> Parent:
    if ref is None:
        return Parent()
    try:
        manifest = DatasetManifest.model_validate_json(artifacts.read(ref.manifest))
    except ValidationError as error:
        raise JobError(f"parent {ref.dataset}/{ref.version}: its manifest is not readable: {error}") from error
    parent = Parent(labels=manifest.labels, parts=manifest.parts)
    for part in manifest.parts:
        parent.rows[part.split].extend(_rows(part, artifacts, ref))
    return parent


def _rows(part: DatasetPart, artifacts: ArtifactStore, ref: DatasetRef) -> list[Row]:
    try:
        table = pq.read_table(artifacts.fetch(part.artifact))
        texts, labels = _column(table, "text"), _column(table, "label")
        groups = _column(table, "group") if "group" in table.column_names else [None] * len(texts)
    except (pa.ArrowException, OSError, KeyError) as error:
        raise JobError(f"parent {ref.dataset}/{ref.version}: part {part.artifact.digest}: {error}") from error
    return [Row(text, label, group, normalize(text)) for text, label, group in zip(texts, labels, groups, strict=True)]


def _column(table: Any, name: str) -> list[Any]:
    values: list[Any] = table.column(name).to_pylist()
    return values
