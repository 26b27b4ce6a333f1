"""Properties of deduplication, the draw and the splits, for any rows."""

import itertools
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.data.operators import Splits
from tests.support.curation import a_row
from workers.curate.operators.duplicates.deduplicate import deduplicate
from workers.curate.operators.sampling.sample import sample
from workers.curate.operators.sampling.split import Division, divide
from workers.curate.rejects import rejects_in
from workers.curate.rows import Reject
from workers.data.normalize import normalize
from workers.data.rows import Place, PromptCompletion, Row
from workers.runtime.errors import JobError

LABELS = ("a", "b", "c")


@st.composite
def row_lists(draw_value: st.DrawFn) -> list[Row]:
    shapes = draw_value(
        st.lists(
            st.tuples(st.integers(0, 40), st.sampled_from(LABELS), st.one_of(st.none(), st.integers(0, 12))),
            max_size=80,
        )
    )
    return [
        a_row(
            f"Text {text}{'!' * (index % 3)}",
            label,
            None if group is None else str(group),
            f"text {text}",
            Place(0, index),
        )
        for index, (text, label, group) in enumerate(shapes)
    ]


split_sizes = st.one_of(st.just(0.0), st.floats(0.05, 0.4), st.integers(1, 15).map(float))


def try_divide(rows: list[Row], splits: Splits, seed: int) -> Division | None:
    """None: refused, because a split that was asked for would be empty."""
    try:
        return divide(rows, splits, LABELS, seed)
    except JobError:
        return None


@pytest.mark.parametrize(("validation", "test"), [(0.5, 0.5), (0.9, 0.9), (0.0001, 0.9999)])
def test_fractions_that_leave_nothing_to_train_on_are_refused(validation: float, test: float) -> None:
    with pytest.raises(ValidationError, match="leave nothing to train on: expected less than 1 of the rows together"):
        Splits(validation=validation, test=test)
    assert Splits(validation=800, test=0.9).test == 0.9  # a count and a fraction


@given(row_lists(), split_sizes, split_sizes, st.booleans(), st.integers(0, 3))
def test_splits_partition_the_rows_and_never_divide_a_unit(
    rows: list[Row], validation: float, test: float, balanced: bool, seed: int
) -> None:
    kept, _ = deduplicate(rows)
    division = try_divide(kept, Splits(validation=validation, test=test, balanced=balanced), seed)
    if division is None:
        return
    everywhere = [row.place for part in division.rows.values() for row in part]
    assert sorted(
        [*everywhere, *(reject.place for reject in division.rejects)], key=lambda place: place.line
    ) == sorted((row.place for row in kept), key=lambda place: place.line)
    units = {split: {row.unit for row in part} for split, part in division.rows.items()}
    assert sum(len(part) for part in units.values()) == len(set().union(*units.values()))
    keys = [row.key for part in division.rows.values() for row in part]
    assert len(keys) == len(set(keys))
    for name, size in (("validation", validation), ("test", test)):
        limit = round(size * len(kept)) if size < 1 else size
        assert len(division.rows[name]) <= limit  # type: ignore[index]
        if balanced and division.rows[name]:  # type: ignore[index]
            counts = Counter(row.label for row in division.rows[name])  # type: ignore[index]
            assert len({counts[label] for label in LABELS}) == 1
    assert balanced or not division.rejects


@given(row_lists(), split_sizes, split_sizes, st.booleans(), st.integers(0, 3), st.randoms(use_true_random=False))
def test_what_lands_where_depends_on_the_rows_and_not_on_their_order(
    rows: list[Row], validation: float, test: float, balanced: bool, seed: int, shuffler: random.Random
) -> None:
    splits = Splits(validation=validation, test=test, balanced=balanced)
    first = try_divide(deduplicate(rows)[0], splits, seed)
    shuffled = list(rows)
    shuffler.shuffle(shuffled)
    second = try_divide(deduplicate(shuffled)[0], splits, seed)
    assert (first is None) == (second is None)
    if first and second:
        for split in first.rows:
            # Of two rows that are equal to the last character, either may stay.
            assert [replace(row, place=None) for row in first.rows[split]] == [
                replace(row, place=None) for row in second.rows[split]
            ]


@given(row_lists())
def test_deduplication_keeps_one_row_a_text_and_none_of_a_dispute(rows: list[Row]) -> None:
    kept, rejects = deduplicate(rows)
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row.key, set()).add(row.label)
    assert {row.key for row in kept} == {key for key, found in labels.items() if len(found) == 1}
    assert len(kept) == len({row.key for row in kept})
    assert len(kept) + len(rejects) == len(rows)


@given(row_lists(), st.integers(0, 30), st.integers(1, 30), st.integers(0, 3))
def test_two_slices_of_one_draw_never_overlap(rows: list[Row], offset: int, limit: int, seed: int) -> None:
    kept, _ = deduplicate(rows)
    first = sample(kept, seed, offset, limit)
    second = sample(kept, seed, offset + limit, None)
    assert not {row.key for row in first} & {row.key for row in second}
    assert len(first) == min(limit, max(0, len(kept) - offset))
    assert sample(first, seed, 0, None) == first


def test_a_draw_is_the_same_in_every_worker_of_any_age() -> None:
    """Another order would give a dataset of the same seed other rows."""
    texts = [("one", None), ("two", "x"), ("three", None), ("four", "x"), ("fünf", None)]
    rows = [a_row(text, "a", group, text) for text, group in texts]
    assert [row.key for row in sample(rows, 0, 0, None)] == ["one", "two", "four", "fünf", "three"]
    assert [row.key for row in sample(rows, 1, 0, None)] == ["one", "three", "two", "four", "fünf"]


def test_another_seed_is_another_sample() -> None:
    """The units and the rows in one unit are drawn anew, and so are the splits."""
    alone = [a_row(f"t {index}", "a", None, f"t {index}", Place(0, index)) for index in range(60)]
    grouped = [replace(row, group="one conversation") for row in alone]
    for rows in (alone, grouped):
        assert len({tuple(row.key for row in sample(rows, seed, 0, None)) for seed in range(20)}) == 20
    tests = [divide(alone, Splits(validation=0, test=20), ("a",), seed).rows["test"] for seed in range(20)]
    assert len({frozenset(row.key for row in rows) for rows in tests}) == 20


@given(st.text())
def test_the_normal_form_is_a_fixed_point(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize(
    ("one", "other"), [("Don't!", "don\u2019t"), ("\uff26ull", "full"), ("straße", "STRASSE"), ("a\u00a0b", "a  b")]
)
def test_texts_that_differ_in_form_only_are_equal(one: str, other: str) -> None:
    assert normalize(one) == normalize(other)


def test_whole_units_above_the_rarest_label_go_back_to_train() -> None:
    rows = [a_row(f"t {index}", "a" if index < 6 else "b", None, f"t {index}", Place(0, index)) for index in range(100)]
    division = divide(rows, Splits(validation=0, test=20, balanced=True), ("a", "b"), seed=0)
    assert Counter(row.label for row in division.rows["test"]) == {"a": 5, "b": 5}
    assert len(division.rows["train"]) == 90
    assert division.rejects == []


def test_the_last_row_of_a_label_is_not_taken_from_train() -> None:
    rows = [a_row(f"t {index}", label, None, f"t {index}", Place(0, index)) for index, label in enumerate("aab")]
    division = divide(rows, Splits(validation=0, test=1), ("a", "b"), seed=0)
    assert [row.label for row in division.rows["test"]] == ["a"], "as many as there may be, and no row of b"
    with pytest.raises(JobError) as refused:
        divide(rows, Splits(validation=0, test=2), ("a", "b"), seed=0)
    said = "splits.test: 2 of 3 rows leaves some label no row left to train on; it can have 1"
    assert str(refused.value) == said
    with pytest.raises(JobError) as refused:
        divide(rows[1:], Splits(validation=1, test=0), ("a", "b"), seed=0)
    said = "splits.validation: 1 of 2 rows leaves some label no row left to train on; it can have 0"
    assert str(refused.value) == said


def test_the_last_of_rows_without_labels_is_not_taken_from_train() -> None:
    rows = [PromptCompletion(f"t {index}", "a", place=Place(0, index)) for index in range(3)]
    division = divide(rows, Splits(validation=0, test=2), (), seed=0)
    assert {split: len(found) for split, found in division.rows.items()} == {"train": 1, "validation": 0, "test": 2}
    with pytest.raises(JobError) as refused:
        divide(rows, Splits(validation=0, test=3), (), seed=0)
    assert str(refused.value) == "splits.test: 3 of 3 rows leaves no row left to train on; it can have 2"


def test_a_fraction_that_leaves_no_row_is_refused() -> None:
    rows = [a_row(f"t {index}", "a", None, f"t {index}", Place(0, index)) for index in range(20)]
    with pytest.raises(JobError) as refused:
        divide(rows, Splits(validation=0.01, test=0.1), ("a",), seed=0)
    assert str(refused.value) == ("splits.validation: 0.01 of 20 rows leaves none; give more rows, or set it to 0")


def test_of_one_label_alone_every_split_is_balanced() -> None:
    rows = [a_row(f"t {index}", "a", None, f"t {index}", Place(0, index)) for index in range(60)]
    division = divide(rows, Splits(validation=0.1, test=20, balanced=True), ("a",), seed=0)
    assert {split: len(found) for split, found in division.rows.items()} == {"train": 34, "validation": 6, "test": 20}


def numbered(labels: str) -> list[Row]:
    """One row for each letter."""
    return [a_row(f"t {index}", label, None, f"t {index}", Place(0, index)) for index, label in enumerate(labels)]


def test_no_rows_are_divided_into_empty_splits_whatever_the_labels() -> None:
    for balanced, labels in itertools.product((False, True), ((), ("a", "b"))):
        division = divide([], Splits(validation=0, test=0, balanced=balanced), labels, seed=0)
        assert (division.rows, division.rejects) == ({"train": [], "validation": [], "test": []}, [])


def test_a_size_of_one_is_one_row_and_not_all_of_them() -> None:
    for balanced in (False, True):
        division = divide(numbered("a" * 9), Splits(validation=0, test=1, balanced=balanced), ("a",), seed=0)
        assert {split: len(found) for split, found in division.rows.items()} == {
            "train": 8,
            "validation": 0,
            "test": 1,
        }


def grouped(group: str, labels: str) -> list[Row]:
    """One group that no split divides."""
    texts = [f"{group} {index}" for index in range(len(labels))]
    return [
        a_row(text, label, group, text, Place(0, index))
        for index, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]


def seed_that_draws(first: Row, rows: list[Row]) -> int:
    return next(seed for seed in range(99) if sample(rows, seed, 0, 1) == [first])


def test_of_a_group_that_is_not_even_the_remainder_is_rejected_and_goes_nowhere() -> None:
    """It is held out, and so it may not train either. The last group of a label stays in train, for either label."""
    mixed, three, many = grouped("mixed", "aaab"), grouped("three", "bbb"), grouped("many", "aaaaaa")
    seed = seed_that_draws(mixed[0], [mixed[0], three[0]])
    division = divide(
        [*mixed, *three, *many, *grouped("more", "bbbbbb")],
        Splits(validation=0, test=6, balanced=True),
        ("a", "b"),
        seed,
    )
    of_a = [row for row in sample(mixed, seed, 0, None) if row.label == "a"]
    assert sorted(row.key for row in division.rows["test"]) == sorted([of_a[0].key, "mixed 3"])
    assert [(reject.place, reject.operator, reject.reason) for reject in division.rejects] == [
        (of_a[1].place, "split", "unbalanced_remainder"),
        (of_a[2].place, "split", "unbalanced_remainder"),
    ]
    assert {row.group for row in division.rows["train"]} == {"three", "many", "more"}


def test_what_an_even_split_gives_back_goes_to_the_next_one_in_its_order() -> None:
    """Of five rows of a label in test three stay beside the three of the other one, and two are the first elsewhere."""
    alone, groups = numbered("a" * 20), [grouped(name, "bbb") for name in ("one", "two", "three")]
    for seed in range(5):
        rows = [*alone, *(row for group in groups for row in group)]
        division = divide(rows, Splits(validation=6, test=10, balanced=True), ("a", "b"), seed)
        of_a, of_b = sample(alone, seed, 0, None), sample([row for group in groups for row in group], seed, 0, None)
        for name, place in (("test", 0), ("validation", 3)):
            found = division.rows[name]  # type: ignore[index]
            assert [row for row in found if row.label == "a"] == of_a[place : place + 3]
            assert [row for row in found if row.label == "b"] == of_b[place : place + 3]
        assert division.rows["train"] == sample([*of_a[6:], *of_b[6:]], seed, 0, None)


def test_rejects_are_told_one_a_line_as_they_are_found(tmp_path: Path) -> None:
    with rejects_in(tmp_path) as rejects:
        assert rejects.written() is None
        rejects.add(Reject(Place(1, 2), None, "empty_label", "sha256:b"))
        more = [(None, "empty_label", "sha256:a"), ("deduplicate", "duplicate", "sha256:c")]
        rejects.extend(Reject(Place(0, 9), *one) for one in more)
        written = rejects.written()
        assert written is not None
        assert written.read_text() == (
            '{"line":2,"operator":null,"reason":"empty_label","source":1,"text_digest":"sha256:b"}\n'
            '{"line":9,"operator":null,"reason":"empty_label","source":0,"text_digest":"sha256:a"}\n'
            '{"line":9,"operator":"deduplicate","reason":"duplicate","source":0,"text_digest":"sha256:c"}\n'
        )
    assert list(rejects.reasons.items()) == [("duplicate", 1), ("empty_label", 2)]
