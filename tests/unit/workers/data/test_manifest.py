"""The parts of a dataset version: every row once, in its order, in files of a bounded size."""

from itertools import chain

import pyarrow.parquet as pq

from schemas.data.rows import ROW_SCHEMAS
from tests.support.curation import a_row
from tests.support.workbench import Workbench
from workers.data.parts import PART_ROWS, write_parts

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
