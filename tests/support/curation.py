"""Runs curation on rows made up for a test, and reads back what it made."""

import json
from typing import Any

import pyarrow.parquet as pq

from schemas.data.manifest import DatasetManifest
from schemas.data.operators import Splits, pipeline
from schemas.jobs.curate import CurateResult, Source
from tests.support.builders.specs import curate_spec
from tests.support.workbench import Workbench
from workers.curate.handler import handle
from workers.data.rows import Place, TextLabel

NO_SPLIT = Splits(validation=0, test=0)
UNDIVIDED = pipeline(NO_SPLIT)
"""The default operators, with every row in train."""


def rows(count: int, start: int = 0) -> list[dict[str, object]]:
    return [
        {
            "text": f"this is review number {index}",
            "label": "positive" if index % 2 else "negative",
            "id": f"{index // 3}_{index}",
        }
        for index in range(start, start + count)
    ]


def a_row(text: str, label: str, group: str | None, key: str, place: Place | None = None) -> TextLabel:
    """A row whose key a test tells."""
    return TextLabel(text, label, _key=key, group=group, place=place)


def curate(bench: Workbench, *sources: Source, **fields: Any) -> CurateResult:
    return handle(curate_spec(*sources, **fields), bench.context())


def manifest_of(bench: Workbench, result: CurateResult) -> DatasetManifest:
    return DatasetManifest.model_validate_json(bench.artifacts.read(result.manifest))


def splits_of(bench: Workbench, result: CurateResult) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {"train": [], "validation": [], "test": []}
    for part in manifest_of(bench, result).parts:
        part_rows = pq.read_table(bench.artifacts.fetch(part.artifact)).to_pylist()
        assert part.rows == len(part_rows)
        found[part.split].extend(part_rows)
    assert {split: len(found[split]) for split in found} == result.rows
    return found


def rejects_of(bench: Workbench, result: CurateResult) -> list[dict[str, Any]]:
    if result.rejects is None:
        return []
    return [json.loads(line) for line in bench.artifacts.read(result.rejects).splitlines()]
