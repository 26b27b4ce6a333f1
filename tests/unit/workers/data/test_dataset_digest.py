"""Digests of a dataset version and of its rows: what changes them, what does not, and what they were."""

import json
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.data import operators as catalogue
from schemas.data.operators import DEFAULT, Labels, Operator, Sample, Splits, WordCount, pipeline, resolved
from schemas.data.rows import ROW_SCHEMAS, RowSchema
from tests.support.builders.specs import source_at
from tests.support.curation import a_row, curate, manifest_of, rows, splits_of
from tests.support.workbench import Workbench
from workers.data.manifest import dataset_digest
from workers.data.rows import row_digest, rows_digest

TEXT_LABEL = ROW_SCHEMAS["text_label"]
GOLDEN = "sha256:b0549cbf39ab2c6476a2a27dab55fa86e7b079334051d4bbaf5c9c773ce26b10"
"""Of `HELD` as `CHOSEN` chose them: another digest of the same rows would make every curation a new version."""
HELD: Any = {
    "train": [a_row("tä", "a", "g", "tä"), a_row("t", "b", None, "t")],
    "test": [a_row("u", "a", None, "u")],
}
CHOSEN = [{"op": "sample", "version": 1, "seed": 3, "limit": 7}, {"op": "split", "version": 1, "seed": 3}]


def digest(held: Any = HELD, schema: RowSchema = TEXT_LABEL, labels: Any = ("a", "b"), chosen: Any = CHOSEN) -> str:
    return dataset_digest(held, schema, labels, chosen)


def test_the_digest_of_a_dataset_is_golden() -> None:
    assert digest() == GOLDEN


def test_the_digest_does_not_depend_on_the_order_of_rows() -> None:
    held = [a_row(f"t {index}", "a", str(index), f"t {index}") for index in range(9)]
    found = digest({"train": held[:5], "test": held[5:]})
    assert digest({"test": held[:4:-1], "train": held[4::-1]}) == found
    assert digest({"train": held[:4], "test": held[4:]}) != found
    assert digest({"train": held[:5], "test": held[5:]}, labels=("b", "a")) != found


def test_the_digests_of_rows_are_golden() -> None:
    """They name a row of an evaluation to who has it, whoever computes them."""
    assert row_digest("tä", "a") == "sha256:b45fc7a42195ca7ca2944f57405700274dd1fe01b8f22387183df7b6c9738a3c"
    assert rows_digest([("tä", "a")]) == row_digest("tä", "a")
    assert rows_digest([("tä", "a"), ("u", "b")]) == rows_digest([("u", "b"), ("tä", "a")]) != row_digest("tä", "a")


def test_a_text_with_half_a_surrogate_pair_has_a_digest_of_its_own() -> None:
    texts = ("a", "\ud800", "\ud801", "a\ud800", "?", "\\ud800")
    assert len({row_digest(text, "a") for text in texts}) == len(texts)


OTHERS: list[dict[str, Any]] = [
    {"held": {**HELD, "train": [*HELD["train"], a_row("more", "a", None, "more")]}},
    {"held": {**HELD, "train": [a_row("ta", "a", "g", "ta"), HELD["train"][1]]}},
    {"held": {**HELD, "train": [a_row("tä", "b", "g", "tä"), HELD["train"][1]]}},
    {"held": {**HELD, "train": [a_row("tä", "a", "h", "tä"), HELD["train"][1]]}},
    {"held": {"train": HELD["train"], "validation": HELD["test"]}},
    {"schema": RowSchema("other", TEXT_LABEL.columns, TEXT_LABEL.shown)},  # type: ignore[arg-type]
    {"schema": RowSchema("text_label", {**TEXT_LABEL.columns, "key": "string"}, TEXT_LABEL.shown)},
    {"labels": ("b", "a")},
    {"labels": ("a", "b", "c")},
    {"chosen": CHOSEN[::-1]},
    {"chosen": [{**CHOSEN[0], "limit": 8}, CHOSEN[1]]},
    {"chosen": [{**CHOSEN[0], "version": 2}, CHOSEN[1]]},
    {"chosen": [CHOSEN[0], {**CHOSEN[1], "seed": 4}]},
    {"chosen": [{"op": "text_length", "version": 1}, *CHOSEN]},
]
"""What makes it another dataset."""


def test_each_of_them_is_another_dataset() -> None:
    found = [digest(**other) for other in OTHERS]
    assert len({GOLDEN, *found}) == 1 + len(OTHERS)


def test_operators_are_resolved_to_what_is_not_their_default() -> None:
    assert list(resolved(DEFAULT, 0)) == [
        {"op": "text_length", "version": 1},
        {"op": "word_count", "version": 1},
        {"op": "deduplicate", "version": 1, "within": "source"},
        {"op": "sample", "version": 1},
        {"op": "deduplicate", "version": 1},
        {"op": "split", "version": 1},
    ]
    given = (WordCount(min_words=1, max_words=9), Labels(labels=("bad", "good"), thresholds=(2, 4)), Sample(limit=7))
    assert list(resolved((*given, Splits(test=0.2)), 3)) == [
        {"op": "word_count", "version": 1, "max_words": 9},
        {"op": "labels", "version": 1, "labels": ["bad", "good"], "thresholds": [2, 4]},
        {"op": "sample", "version": 1, "seed": 3, "limit": 7},
        {"op": "split", "version": 1, "seed": 3},
    ]


def test_a_setting_that_is_added_with_a_default_changes_no_digest() -> None:
    class More(catalogue.Splits):
        op: Literal["split"] = "split"
        stratified: bool = False

    before: list[Operator] = [Sample(limit=7), Splits(test=9)]
    after: list[Operator] = [Sample(limit=7), More(test=9)]
    assert list(resolved(after, 3)) == list(resolved(before, 3))
    assert list(resolved([More(test=9, stratified=True)], 3)) != list(resolved(before[1:], 3))


def test_the_same_rows_by_another_path_format_and_order_are_the_same_dataset(bench: Workbench) -> None:
    """What changes how the rows were found changes nothing; what changes which they are, does."""
    held = rows(60)
    operators = pipeline(Sample(limit=40))
    first = curate(bench, source_at(bench.jsonl("a.jsonl", held), group="id"), operators=operators)
    named = {
        "body": [row["text"] for row in held],
        "kind": [row["label"] for row in held],
        "u": [r["id"] for r in held],
    }
    path = bench.files / "deep" / "b.parquet"
    path.parent.mkdir()
    pq.write_table(pa.table(named), path)
    columns = {"text": "body", "label": "kind", "group": "u"}
    lines = [";".join(columns.values()), *(";".join(map(str, values)) for values in zip(*named.values(), strict=True))]
    same = [
        curate(bench, source_at(bench.jsonl("b.jsonl", held[::-1]), group="id"), operators=operators),
        curate(bench, source_at(path, **columns), operators=operators),
        curate(
            bench,
            source_at(bench.write("c.txt", "\n".join(lines).encode("utf-16")), **columns, delimiter=";"),
            operators=operators,
        ),
        curate(
            bench, source_at(bench.write("d.json", json.dumps(held)), group="id"), operators=operators, dataset="other"
        ),
    ]
    assert {one.digest for one in same} == {first.digest}
    assert {json.dumps(splits_of(bench, one)) for one in same} == {json.dumps(splits_of(bench, first))}
    other = [
        curate(bench, source_at(path, **columns)),
        curate(bench, source_at(path, **columns), operators=operators, seed=1),
        curate(bench, source_at(path, **columns), operators=pipeline(Sample(limit=40), Splits(test=0.3))),
        curate(bench, source_at(path, **{**columns, "group": None}), operators=operators),
    ]
    assert len({first.digest, *(one.digest for one in other)}) == 5


@pytest.mark.parametrize("seed", [0, 5])
def test_a_digest_is_of_what_the_manifest_says(bench: Workbench, seed: int) -> None:
    result = curate(bench, source_at(bench.jsonl("a.jsonl", rows(40)), group="id"), seed=seed)
    manifest = manifest_of(bench, result)
    held: Any = {
        split: [a_row(row["text"], row["label"], row["group"], "") for row in found]
        for split, found in splits_of(bench, result).items()
    }
    assert manifest.row_schema == "text_label"
    assert {part.row_schema for part in manifest.parts} == {"text_label"}
    schema = ROW_SCHEMAS[manifest.row_schema]
    assert manifest.digest == dataset_digest(held, schema, manifest.labels, manifest.operators) == result.digest
