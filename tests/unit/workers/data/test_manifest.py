"""A dataset version in its store: every row once, in its order, in parts of a bounded size, and read as it was."""

from dataclasses import replace
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.data.manifest import DatasetPart
from schemas.data.rows import ROW_SCHEMAS
from tests.support.builders.artifacts import artifact
from tests.support.builders.datasets import dataset_ref, manifest, part
from tests.support.curation import a_row
from tests.support.workbench import Workbench
from workers.data.manifest import read_manifest, read_rows, write_manifest
from workers.data.parts import PARQUET, PART_ROWS, read_part, write_parts
from workers.data.rows import Messages, PromptCompletion
from workers.runtime.errors import JobError

TEXT_LABEL = ROW_SCHEMAS["text_label"]


def test_a_split_is_written_in_parts_of_so_many_rows(bench: Workbench) -> None:
    rows = [a_row(str(number), "a", None, str(number)) for number in range(PART_ROWS + 1)]
    grouped = [a_row("t", "b", "g", "t")]
    parts = write_parts({"validation": [], "test": grouped, "train": rows}, TEXT_LABEL, bench.artifacts, bench.root)
    assert [(part.split, part.rows) for part in parts] == [
        ("train", PART_ROWS),
        ("train", 1),
        ("test", 1),
    ]
    assert {part.row_schema for part in parts} == {"text_label"}
    assert {part.artifact.media_type for part in parts} == {"application/vnd.apache.parquet"}
    *train, test = (pq.read_table(bench.artifacts.fetch(part.artifact)) for part in parts)
    assert list(chain(*(part["text"].to_pylist() for part in train))) == [row.text for row in rows]
    assert test.to_pylist() == [{"text": "t", "label": "b", "group": "g"}]
    written = pq.ParquetFile(bench.artifacts.fetch(parts[0].artifact)).metadata.row_group(0)
    assert {written.column(place).compression for place in range(3)} == {"ZSTD"}


def test_a_split_that_just_fills_its_parts_has_no_empty_one(bench: Workbench) -> None:
    rows = [a_row("t", "a", None, "t")] * PART_ROWS
    parts = write_parts({"train": rows, "validation": [], "test": []}, TEXT_LABEL, bench.artifacts, bench.root)
    assert [part.rows for part in parts] == [PART_ROWS]


def test_a_manifest_is_read_as_it_was_written_and_stored_as_json(bench: Workbench) -> None:
    document = manifest([part("train", 3, artifact("a part"))])
    stored = write_manifest(bench.artifacts, document)
    assert stored.media_type == "application/json"
    assert read_manifest(bench.artifacts, dataset_ref(manifest=stored)) == document


@pytest.mark.parametrize(
    "rows",
    [
        [PromptCompletion("Why?", "So."), PromptCompletion("When?", "Now.", group="g")],
        [Messages([{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}])],
    ],
)
def test_rows_are_read_with_the_split_that_they_lie_in(bench: Workbench, rows: Any) -> None:
    dataset = bench.text_dataset(train=rows[:1], test=rows)
    assert read_rows(bench.artifacts, dataset, "test") == [replace(row, group=None, split="test") for row in rows]
    assert read_rows(bench.artifacts, dataset, "train") == [replace(rows[0], group=None, split="train")]
    assert read_rows(bench.artifacts, dataset, "validation") == []


def a_part(bench: Workbench, **columns: list[str | None]) -> DatasetPart:
    path = bench.files / "a part"
    pq.write_table(pa.table(columns), path)
    return part("train", 2, bench.artifacts.put_file(path, PARQUET))


@pytest.mark.parametrize(
    "columns",
    [
        {"text": ["good", None], "label": ["a", "b"]},
        {"text": ["good", "bad"], "label": [None, "b"]},
        {"text": [None, "bad"], "label": [None, "b"]},
    ],
)
def test_a_part_with_a_row_without_a_value_is_refused(bench: Workbench, columns: dict[str, Any]) -> None:
    stored = a_part(bench, **columns)
    with pytest.raises(JobError) as refused:
        read_part(stored, bench.artifacts, ("text", "label"), "reviews/1 split train")
    where = f"dataset reviews/1 split train: part {stored.artifact.digest}"
    assert str(refused.value) == f"{where} holds a row without text or label"


def test_a_part_without_a_column_that_is_needed_is_refused(bench: Workbench) -> None:
    stored = a_part(bench, text=["good", "bad"], group=[None, None])
    with pytest.raises(JobError) as refused:
        read_part(stored, bench.artifacts, ("text", "label"), "reviews/1 split train")
    where = f"dataset reviews/1 split train: part {stored.artifact.digest}"
    assert str(refused.value).startswith(f"{where} must be Parquet with columns text and label: ")
    assert read_part(stored, bench.artifacts, ("text",), "reviews/1 split train").num_rows == 2, "another may be empty"
