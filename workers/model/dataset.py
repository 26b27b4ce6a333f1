"""Reads the rows of a dataset version: its manifest, and the Parquet parts that the manifest lists."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.artifacts import ArtifactRef, DatasetManifest, DatasetRef, Split
from workers.model.normalize import normalize
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.errors import JobError


@dataclass(frozen=True)
class Rows:
    """Texts and their labels, index by index, in the manifest's order."""

    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.texts)


def read_manifest(artifacts: ArtifactStore, dataset: DatasetRef) -> DatasetManifest:
    try:
        return DatasetManifest.model_validate_json(artifacts.read(dataset.manifest))
    except ValidationError as error:
        raise JobError(f"dataset {dataset.dataset}/{dataset.version}: its manifest is not readable: {error}") from error


def read_split(artifacts: ArtifactStore, dataset: DatasetRef, split: Split) -> Rows:
    """The rows of one split; none when the version has no such split."""
    manifest = read_manifest(artifacts, dataset)
    rows = Rows([], [])
    for part in manifest.parts:
        if part.split == split:
            _append(rows, artifacts, part.artifact, f"{dataset.dataset}/{dataset.version} split {split}")
    return rows


def count_trained_on(artifacts: ArtifactStore, texts: Iterable[str], trained_on: Sequence[DatasetRef]) -> int:
    """How many of these texts stand in the train splits of those versions, as curation tells equal texts."""
    asked = Counter(normalize(text) for text in texts)
    learnt = {normalize(text) for dataset in trained_on for text in read_split(artifacts, dataset, "train").texts}
    return sum(count for key, count in asked.items() if key in learnt)


def rows_digest(rows: Iterable[tuple[str, str]]) -> str:
    """The digest of texts with their labels, in whatever order: who is asked the same has the same digest."""
    sha256 = hashlib.sha256()
    for row in sorted(rows):
        sha256.update(_canonical(row))
    return "sha256:" + sha256.hexdigest()


def row_digest(text: str, label: str) -> str:
    """The digest of one row with its label: it names the row to who has it, and tells nobody what it says."""
    return "sha256:" + hashlib.sha256(_canonical((text, label))).hexdigest()


def _canonical(row: tuple[str, str]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"


def _append(rows: Rows, artifacts: ArtifactStore, part: ArtifactRef, where: str) -> None:
    try:
        table = pq.read_table(artifacts.fetch(part), columns=["text", "label"])
    except (pa.ArrowException, OSError, KeyError) as error:
        raise JobError(
            f"dataset {where}: part {part.digest} must be Parquet with columns text and label: {error}"
        ) from error
    if table.column("text").null_count or table.column("label").null_count:
        raise JobError(f"dataset {where}: part {part.digest} holds a row without text or label")
    rows.texts.extend(table.column("text").cast(pa.string()).to_pylist())
    rows.labels.extend(table.column("label").cast(pa.string()).to_pylist())
