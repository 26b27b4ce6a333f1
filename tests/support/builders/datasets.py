"""References to dataset versions, and what a version's manifest says."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID, uuid5

from schemas.artifacts import ArtifactRef, DatasetRef
from schemas.data.manifest import DatasetManifest, DatasetPart
from schemas.data.rows import ROW_SCHEMAS
from schemas.jobs.curate import CurateResult
from tests.support.builders.artifacts import artifact, digest
from tests.support.builders.models import LABELS

DATASET: Final = UUID(int=7)
"""The id of version 1 of the dataset, unless a test names another."""


def dataset_ref(dataset: str = "reviews", version: int = 1, **changes: Any) -> DatasetRef:
    fields: dict[str, Any] = {
        "id": DATASET,
        "row_schema": "text_label",
        "digest": digest(f"{dataset}/{version}"),
        "manifest": artifact(f"manifest of {dataset}/{version}", "application/json"),
    }
    return DatasetRef(dataset=dataset, version=version, **fields | changes)


def registered_dataset(result: CurateResult, number: int = 1) -> DatasetRef:
    """The version that the control plane would register for a curation."""
    identity = uuid5(DATASET, result.manifest.digest)
    said = {field: getattr(result, field) for field in ("row_schema", "digest", "manifest")}
    return dataset_ref(result.dataset, number, id=identity, **said)


def part(split: str, rows: int, of: ArtifactRef) -> DatasetPart:
    return DatasetPart.model_validate({"split": split, "row_schema": "text_label", "rows": rows, "artifact": of})


def manifest(parts: Iterable[DatasetPart], **changes: Any) -> DatasetManifest:
    parts = tuple(parts)
    fields: dict[str, Any] = {
        "digest": digest("".join(one.artifact.digest for one in parts)),
        "row_schema": "text_label",
        "columns": ROW_SCHEMAS["text_label"].stored,
        "labels": LABELS,
        "operators": (),
    }
    return DatasetManifest(parts=parts, **fields | changes)
