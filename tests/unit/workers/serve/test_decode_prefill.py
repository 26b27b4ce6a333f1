"""Which prompts a round reads, and which of them in one run: padding never costs more than a run of their own would."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast
from unittest.mock import sentinel

import pytest

from workers.graph.decoder.reading import Reading
from workers.serve.engines.decode.forecast import PROMPT_TOKENS, RUN_TOKENS
from workers.serve.engines.decode.prefill import (
    FIRST_ROUND_TOKENS,
    MAX_RUN_TOKENS,
    Part,
    padded_tokens,
    parts_of,
    runs_of,
    share,
)


@dataclass(eq=False)
class Prompt:
    remaining: int
    begun: bool = False


def reading(tokens: int, *, begun: bool = False) -> Reading:
    return cast(Reading, Prompt(tokens, begun))


def parts(*tokens: int, begun: bool = False) -> list[Part]:
    return [Part(sentinel.request, reading(count, begun=begun), count) for count in tokens]


def tokens_of(runs: Sequence[Sequence[Part]]) -> list[list[int]]:
    return [[part.tokens for part in run] for run in runs]


def test_a_round_has_so_much_for_each_version_and_more_while_nobody_waits_for_a_step() -> None:
    assert share(3, writing=True) == PROMPT_TOKENS
    assert share(1, writing=False) == FIRST_ROUND_TOKENS
    assert share(2, writing=False) == FIRST_ROUND_TOKENS // 2
    assert share(100, writing=False) == PROMPT_TOKENS
    assert share(0, writing=False) == FIRST_ROUND_TOKENS


def test_a_share_is_read_in_order_and_no_prompt_begins_that_it_has_nothing_for() -> None:
    begun: list[int] = []

    def waiting(*counts: int) -> Iterator[Any]:
        for count in counts:
            begun.append(count)
            yield sentinel.request, reading(count)

    assert [part.tokens for part in parts_of(waiting(50, 10, 30, 40), 64)] == [50, 10, 4]
    assert begun == [50, 10, 30]
    assert [part.tokens for part in parts_of(waiting(500, 3), 512)] == [PROMPT_TOKENS, 3]
    assert parts_of(waiting(), 64) == []


def test_prompts_of_about_one_length_are_read_together() -> None:
    assert tokens_of(runs_of([parts(10, 11, 12)])) == [[12, 11, 10]]
    assert tokens_of(runs_of([parts(10), parts(10, 10)])) == [[10, 10, 10]]
    assert tokens_of(runs_of([parts(30, 30 - RUN_TOKENS, 29 - RUN_TOKENS)])) == [[30, 22], [21]]
    assert runs_of([[], []]) == []


def test_a_run_holds_no_more_than_its_bound() -> None:
    fitting = MAX_RUN_TOKENS // 40
    runs = runs_of([parts(*[40] * 8)])
    assert [len(run) for run in runs] == [fitting] * (8 // fitting) + [8 % fitting] * bool(8 % fitting)
    assert max(map(padded_tokens, runs)) <= MAX_RUN_TOKENS


def test_a_prompt_that_is_read_on_is_read_alone() -> None:
    assert tokens_of(runs_of([parts(10, begun=True) + parts(10, 10)])) == [[10], [10, 10]]


def test_versions_take_turns() -> None:
    one, other = parts(60, 60, 60, 60), parts(5)
    runs = runs_of([one, other])
    assert tokens_of(runs) == [[60, 60], [5], [60, 60]]


@pytest.mark.parametrize("counts", [(1,) * 12, (64, 1, 33, 7, 20, 9), tuple(range(1, 12))])
def test_all_is_read_once_and_together_costs_no_more_than_one_by_one(counts: tuple[int, ...]) -> None:
    given = parts(*counts)
    runs = runs_of([given])
    assert sorted(map(id, given)) == sorted(id(part) for run in runs for part in run)
    together = sum(padded_tokens(run) + RUN_TOKENS for run in runs)
    assert together <= sum(part.tokens + RUN_TOKENS for part in given)
