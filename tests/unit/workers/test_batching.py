"""Rows are split into the batches that cost least."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from workers.graph.batching import BATCH_TOKENS, MAX_ROWS, MAX_TOKENS, plan_batches


def cost(batches: list[list[int]]) -> int:
    """`batches` hold lengths."""
    return sum(BATCH_TOKENS + len(batch) * max(batch) for batch in batches)


def cheapest(lengths: list[int]) -> int:
    """Every way to cut the sorted lengths."""
    ordered = sorted(lengths)
    inner = range(1, len(ordered))
    cuts = (cut for number in range(len(ordered)) for cut in combinations(inner, number))
    return min(
        cost([ordered[begin:end] for begin, end in zip((0, *cut), (*cut, len(ordered)), strict=True)]) for cut in cuts
    )


@given(st.lists(st.integers(1, 100), min_size=1, max_size=8))
def test_no_other_split_of_few_rows_is_cheaper(lengths: list[int]) -> None:
    batches = plan_batches(lengths)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert cost([[lengths[index] for index in batch] for batch in batches]) == cheapest(lengths)


@given(st.lists(st.integers(1, 512), max_size=200))
def test_every_row_is_in_one_batch_and_none_is_too_large(lengths: list[int]) -> None:
    batches = plan_batches(lengths)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= MAX_ROWS
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= MAX_TOKENS


def test_a_row_longer_than_a_whole_batch_is_computed_alone() -> None:
    assert plan_batches([5000, 3, 4]) == [[1, 2], [0]]


def test_a_short_row_does_not_pay_for_a_long_one() -> None:
    assert plan_batches([60, 10]) == [[1], [0]]
    assert plan_batches([12, 10]) == [[1, 0]]
    assert plan_batches([]) == []
