"""Runs curation on rows made up for a test, and reads back what it made."""

import json
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq

from schemas.artifacts import DatasetManifest, DatasetRef
from schemas.jobs.curate import CurateResult, CurateSpec, Source, Splits
from workers.curate.handler import handle

NO_SPLIT = Splits(validation=0, test=0)


def rows(count: int, start: int = 0) -> list[dict[str, object]]:
    return [
        {
            "text": f"this is review number {index}",
            "label": "positive" if index % 2 else "negative",
            "id": f"{index // 3}_{index}",
        }
        for index in range(start, start + count)
    ]


def curate(bench: Any, *sources: Source, **fields: Any) -> CurateResult:
    return handle(CurateSpec(dataset="reviews", sources=sources, **fields), bench.context)


def manifest_of(bench: Any, result: CurateResult) -> DatasetManifest:
    return DatasetManifest.model_validate_json(bench.store.read(result.manifest))


def splits_of(bench: Any, result: CurateResult) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test": []}
    for part in manifest_of(bench, result).parts:
        part_rows = pq.read_table(bench.store.fetch(part.artifact)).to_pylist()
        assert part.rows == len(part_rows)
        found[part.split].extend(part_rows)
    assert {split: len(found[split]) for split in found} == result.rows
    return found


def rejects_of(bench: Any, result: CurateResult) -> list[dict[str, Any]]:
    if result.rejects is None:
        return []
    return [json.loads(line) for line in bench.store.read(result.rejects).splitlines()]


def ref_of(result: CurateResult) -> DatasetRef:
    return DatasetRef(id=uuid4(), dataset=result.dataset, version=1, digest=result.digest, manifest=result.manifest)
