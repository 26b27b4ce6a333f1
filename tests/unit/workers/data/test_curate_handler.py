"""Curation: a row ends in one split or in the rejects; nothing leaks; the digest is stable."""

import random
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from schemas.data.operators import GroupBy, Labels, Sample, Splits, pipeline
from tests.support.builders.datasets import registered_dataset
from tests.support.builders.specs import curate_spec, source_at
from tests.support.curation import NO_SPLIT, UNDIVIDED, curate, manifest_of, rejects_of, rows, splits_of
from tests.support.workbench import Workbench
from workers.curate.handler import handle
from workers.runtime.errors import JobError

BY_PREFIX = GroupBy(pattern="^(.*)_")


def test_each_row_lands_in_one_split(bench: Workbench) -> None:
    result = curate(
        bench, source_at(bench.jsonl("r.jsonl", rows(100))), operators=pipeline(Splits(validation=0.1, test=20))
    )
    found = splits_of(bench, result)
    assert result.rows == {"train": 70, "validation": 10, "test": 20}
    texts = [row["text"] for split in found.values() for row in split]
    assert sorted(texts) == sorted(str(row["text"]) for row in rows(100))
    assert result.rejected == {}
    assert result.rejects is None
    manifest = manifest_of(bench, result)
    assert manifest.columns == {"text": "string", "label": "string", "group": "string"}
    assert manifest.labels == ("negative", "positive")
    assert manifest.digest == result.digest


def test_planted_duplicates_leave_one_row(bench: Workbench) -> None:
    planted = [
        {"text": "A fine film.", "label": "positive"},
        {"text": "A fine film.", "label": "positive"},
        {"text": "  a   FINE\tfilm!!! ", "label": "positive"},
        {"text": "\uff21 \ufb01ne film…", "label": "positive"},
        {"text": "a fi\u200bne film", "label": "positive"},
        {"text": "a fine film :(", "label": "negative"},
        {"text": "a fine film :)", "label": "positive"},
        {"text": "dull", "label": "negative"},
    ]
    result = curate(bench, source_at(bench.jsonl("r.jsonl", planted)), operators=UNDIVIDED)
    assert result.rejected == {"duplicate": 4}
    assert result.rows["train"] == 4


def test_texts_of_punctuation_alone_are_told_apart(bench: Workbench) -> None:
    planted = [{"text": "!!!", "label": "positive"}, {"text": "?", "label": "negative"}]
    assert curate(bench, source_at(bench.jsonl("r.jsonl", planted)), operators=UNDIVIDED).rows["train"] == 2


def test_all_rows_of_a_text_whose_labels_disagree_are_rejected(bench: Workbench) -> None:
    planted = [
        {"text": "so so", "label": "positive"},
        {"text": "So so.", "label": "negative"},
        {"text": "so so", "label": "positive"},
        *rows(4),
    ]
    result = curate(bench, source_at(bench.jsonl("r.jsonl", planted)), operators=UNDIVIDED)
    assert result.rejected == {"conflicting_label": 3}
    assert "so so" not in [row["text"] for row in splits_of(bench, result)["train"]]


def test_two_sources_that_disagree_on_a_text_both_lose_it(bench: Workbench) -> None:
    first = bench.jsonl("a.jsonl", [{"text": "so so", "label": "positive"}, *rows(4)])
    second = bench.jsonl("b.jsonl", [{"text": "so so", "label": "negative"}, *rows(4)])
    result = curate(bench, source_at(first), source_at(second), operators=UNDIVIDED)
    assert result.rejected == {"conflicting_label": 2, "duplicate": 4}
    assert {reject["source"] for reject in rejects_of(bench, result) if reject["reason"] == "conflicting_label"} == {
        0,
        1,
    }


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        ({"op": "group_by", "pattern": "("}, "is not a regular expression"),
        ({"op": "group_by", "pattern": "^x"}, "captures nothing"),
        ({"op": "group_by", "pattern": "^(x)"}, "needs the field group"),
        ({"op": "labels", "labels": [], "thresholds": [0.0, 1.0]}, "at least 1 item"),
        ({"op": "labels", "labels": ["a"], "thresholds": [0.0, 1.0]}, "two labels; labels has 1"),
        ({"op": "labels", "labels": ["a", "b"], "thresholds": [1.0, 0.0]}, "low <= high"),
        ({"op": "labels", "labels": ["a", "a"]}, "named twice"),
        ({"op": "sample", "sources": [1]}, "is for source 1; expected below 1, the number of sources"),
        ({"op": "word_count", "min_words": 3, "max_words": 2}, "min_words 3 is above max_words 2"),
        ({"op": "split"}, "found 2 split; expected one, as the last of them"),
        ({"op": "deduplicate"}, "sample comes after deduplicate, which is given all sources' rows together"),
        ({"op": "rewrite"}, "does not match any of the expected tags"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused_at_the_request(operator: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        curate_spec(operators=[operator, {"op": "sample"}, {"op": "split"}])


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        ([], "at least 1 item"),
        ([{"op": "sample"}], "found 0 split; expected one, as the last of them"),
        ([{"op": "split"}, {"op": "deduplicate"}], "found 1 split; expected one, as the last of them"),
    ],
)
def test_a_spec_that_does_not_end_with_a_split_is_refused(operators: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        curate_spec(operators=operators)


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (Splits(validation=0, test=0.01), "leaves none"),
        (Splits(validation=0, test=20), "no row left to train on"),
    ],
)
def test_a_spec_that_cannot_be_met_is_refused(bench: Workbench, splits: Splits, message: str) -> None:
    with pytest.raises(JobError, match=message):
        curate(bench, source_at(bench.jsonl("r.jsonl", rows(20))), operators=pipeline(splits))


def test_the_same_rows_in_another_order_and_format_make_the_same_digest(bench: Workbench) -> None:
    planted = [
        *rows(60),
        {"text": "Twice.", "label": "positive", "id": "z_1"},
        {"text": "twice", "label": "positive", "id": "y_1"},
    ]
    path = bench.files / "r.parquet"
    spec = curate_spec(
        source_at(path, group="id"),
        operators=pipeline(BY_PREFIX, Sample(limit=40), Splits(validation=0.1, test=0.2, balanced=True)),
    )
    digests = set()
    for seed in range(3):
        random.Random(seed).shuffle(planted)
        pq.write_table(pa.Table.from_pylist(planted), path, row_group_size=7 + seed)
        result = handle(spec, bench.context())
        digests.add((result.digest, result.manifest.digest))
    assert len(digests) == 1
    assert handle(spec.model_copy(update={"seed": 1}), bench.context()).digest not in {digest for digest, _ in digests}
    pq.write_table(pa.Table.from_pylist([{**row, "text": f"{row['text']}x"} for row in planted]), path)
    assert handle(spec, bench.context()).digest not in {digest for digest, _ in digests}


def test_a_group_never_lies_in_two_splits(bench: Workbench) -> None:
    source = source_at(bench.jsonl("r.jsonl", rows(300)), group="id")
    result = curate(bench, source, operators=pipeline(BY_PREFIX, Splits(validation=0.2, test=0.3)))
    found = splits_of(bench, result)
    groups = {split: {row["group"] for row in found[split]} for split in found}
    assert not groups["train"] & groups["test"]
    assert not groups["train"] & groups["validation"]
    assert not groups["validation"] & groups["test"]
    assert result.rows == {"train": 150, "validation": 60, "test": 90}


def test_two_batches_of_one_source_do_not_overlap_and_the_parents_splits_stay(bench: Workbench) -> None:
    uri = bench.jsonl("r.jsonl", rows(200))
    splits = Splits(validation=10, test=20, balanced=True)
    first = curate(bench, source_at(uri), operators=pipeline(Sample(limit=80), splits))
    second = curate(bench, source_at(uri), operators=pipeline(Sample(offset=80)), parent=registered_dataset(first))
    before, after = splits_of(bench, first), splits_of(bench, second)
    assert after["validation"] == before["validation"]
    assert after["test"] == before["test"]
    assert after["train"][: len(before["train"])] == before["train"]
    assert second.rows == {"train": 170, "validation": 10, "test": 20}
    assert second.rejected == {}
    assert manifest_of(bench, second).parts[: len(manifest_of(bench, first).parts)] == manifest_of(bench, first).parts


def test_new_rows_that_the_parent_has_are_rejected_whatever_their_split(bench: Workbench) -> None:
    first = curate(
        bench, source_at(bench.jsonl("a.jsonl", rows(40))), operators=pipeline(Splits(validation=10, test=10))
    )
    again = [{**row, "text": f"{str(row['text']).upper()}!"} for row in rows(40)]
    again[3]["label"] = "positive" if again[3]["label"] == "negative" else "negative"
    second = curate(
        bench, source_at(bench.jsonl("b.jsonl", [*again, *rows(6, start=40)])), parent=registered_dataset(first)
    )
    assert second.rejected == {"conflicting_label": 1, "duplicate": 39}
    assert second.rows == {"train": 26, "validation": 10, "test": 10}
    with pytest.raises(JobError, match="no row was accepted; rejected: conflicting_label 1, duplicate 39"):
        curate(bench, source_at(bench.jsonl("c.jsonl", again)), parent=registered_dataset(first))


def test_new_rows_of_a_held_out_group_never_train(bench: Workbench) -> None:
    source, splits = source_at(bench.jsonl("a.jsonl", rows(60)), group="id"), Splits(validation=6, test=12)
    first = curate(bench, source, operators=pipeline(BY_PREFIX, splits))
    more = [{**row, "text": f"more of {row['text']}"} for row in rows(60)]
    again = source_at(bench.jsonl("b.jsonl", more), group="id")
    second = curate(bench, again, operators=pipeline(BY_PREFIX), parent=registered_dataset(first))
    assert second.rejected == {"group_is_held_out": 18}
    assert {reject["operator"] for reject in rejects_of(bench, second)} == {"split"}
    found = splits_of(bench, second)
    assert not {row["group"] for row in found["train"]} & {
        row["group"] for row in [*found["test"], *found["validation"]]
    }


def test_a_parent_without_test_rows_gets_them_from_new_rows_only(bench: Workbench) -> None:
    first = curate(bench, source_at(bench.jsonl("a.jsonl", rows(20))), operators=UNDIVIDED)
    second = curate(
        bench,
        source_at(bench.jsonl("b.jsonl", rows(20, start=20))),
        parent=registered_dataset(first),
        operators=pipeline(Splits(validation=0, test=0.5)),
    )
    old = {row["text"] for row in rows(20)}
    assert second.rows == {"train": 30, "validation": 0, "test": 10}
    assert not old & {row["text"] for row in splits_of(bench, second)["test"]}


def test_the_parents_labels_keep_their_order(bench: Workbench) -> None:
    source, asked = source_at(bench.jsonl("a.jsonl", rows(10))), Labels(labels=("positive", "negative"))
    first = curate(bench, source, operators=pipeline(asked, NO_SPLIT))
    second = curate(
        bench, source_at(bench.jsonl("b.jsonl", rows(10, 10))), parent=registered_dataset(first), operators=UNDIVIDED
    )
    assert manifest_of(bench, second).labels == ("positive", "negative")


def test_a_balanced_split_of_a_rare_label_leaves_it_rows_to_train_on(bench: Workbench) -> None:
    skewed = [{"text": f"row {index}", "label": "rare" if index < 20 else "common"} for index in range(400)]
    result = curate(
        bench,
        source_at(bench.jsonl("r.jsonl", skewed)),
        operators=pipeline(Splits(validation=0.2, test=0.2, balanced=True)),
    )
    found = splits_of(bench, result)
    for split in ("validation", "test"):
        assert Counter(row["label"] for row in found[split]) == {"rare": 4, "common": 4}
    assert Counter(row["label"] for row in found["train"]) == {"rare": 12, "common": 372}
