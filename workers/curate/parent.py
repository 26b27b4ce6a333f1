"""The rows of the version that a new one grows from: they and their splits stay as they are."""

from dataclasses import dataclass, field

from schemas.artifacts import DatasetRef, Split
from schemas.data.manifest import DatasetPart
from schemas.data.rows import GROUP, ROW_SCHEMAS
from workers.data.manifest import read_manifest
from workers.data.parts import read_part
from workers.data.rows import ROWS, Row
from workers.runtime.artifacts import ArtifactStore


@dataclass(frozen=True)
class Parent:
    rows: dict[Split, list[Row]] = field(default_factory=lambda: {"train": [], "validation": [], "test": []})
    labels: tuple[str, ...] = ()
    parts: tuple[DatasetPart, ...] = ()

    @property
    def label_of(self) -> dict[str, str | None]:
        """The label of each row's key."""
        return {row.key: row.label for rows in self.rows.values() for row in rows}

    @property
    def split_of(self) -> dict[str, Split]:
        """The split of each unit."""
        return {row.unit: split for split, rows in self.rows.items() for row in rows}


def read_parent(ref: DatasetRef | None, artifacts: ArtifactStore) -> Parent:
    if ref is None:
        return Parent()
    manifest = read_manifest(artifacts, ref)
    parent = Parent(labels=manifest.labels, parts=manifest.parts)
    for part in manifest.parts:
        parent.rows[part.split].extend(_rows(part, artifacts, f"{ref.dataset}/{ref.version}"))
    return parent


def _rows(part: DatasetPart, artifacts: ArtifactStore, where: str) -> list[Row]:
    columns = tuple(ROW_SCHEMAS[part.row_schema].columns)
    table = read_part(part, artifacts, columns, where)
    groups = table.column(GROUP).to_pylist() if GROUP in table.column_names else [None] * table.num_rows
    values = zip(*(table.column(name).to_pylist() for name in columns), strict=True)
    make = ROWS[part.row_schema]
    return [make(*one, group=group, split=part.split) for one, group in zip(values, groups, strict=True)]
