"""When a text would have its first token: what its version has waiting, some of what others have, and a free place."""

from typing import Any
from unittest.mock import sentinel

import pytest

from workers.serve.engines.decode.forecast import PROMPT_TOKENS, Measured, alone_seconds, first_token_seconds, weigh
from workers.serve.engines.decode.lanes import MAX_TEXTS, MAX_TEXTS_OF_ONE, Lanes
from workers.serve.engines.decode.output import Output
from workers.serve.engines.decode.request import Request

PACE = Measured(seconds_per_prompt_token=0.001, seconds_per_step=0.1, answer_tokens=20)


def request(version: str, tokens: int, written: int = 0, limit: int = 100) -> Request:
    output = Output(sentinel.tokenizer, tokens, (), (), limit)
    output.tokens = written
    return Request(version, [0] * tokens, sentinel.sampler, output, None)


def waiting(lanes: Lanes, version: str, *tokens: int) -> None:
    lanes[version].waiting.extend(request(version, count) for count in tokens)


def writing(lanes: Lanes, version: str, count: int, **fields: Any) -> None:
    lanes[version].under_way.extend(request(version, 5, **fields) for _ in range(count))


def seconds(lanes: Lanes, *prompts: int, version: str = "stable") -> float:
    return first_token_seconds(prompts, lanes[version], lanes, PACE)


def test_a_prompt_alone_costs_its_tokens_and_each_run_its_own() -> None:
    assert (weigh(10), weigh(PROMPT_TOKENS), weigh(PROMPT_TOKENS + 1)) == (18, 72, 81)
    assert alone_seconds([10, 64], PACE) == seconds(Lanes(), 10, 64) == pytest.approx(0.09)


def test_what_waits_for_its_version_is_read_first() -> None:
    lanes = Lanes()
    waiting(lanes, "stable", 10, 10)
    assert seconds(lanes, 10) == pytest.approx(0.054)


def test_a_flood_of_another_version_costs_no_more_than_its_share_of_each_round() -> None:
    lanes = Lanes()
    waiting(lanes, "canary", *[64] * 100)
    assert seconds(lanes, 10) == pytest.approx(0.018 + 0.072)
    waiting(lanes, "stable", 64)
    assert seconds(lanes, 10) == pytest.approx(0.018 + 0.072 + 2 * 0.072)
    assert seconds(lanes, 10, version="canary") > 7.2


def test_texts_under_way_take_a_step_in_each_round() -> None:
    lanes = Lanes()
    writing(lanes, "canary", 1)
    assert seconds(lanes, 2 * PROMPT_TOKENS) == pytest.approx(0.144 + 2 * 0.1)


def test_a_text_that_finds_no_place_waits_for_the_end_of_one() -> None:
    lanes = Lanes()
    writing(lanes, "stable", MAX_TEXTS_OF_ONE - 1, written=2)
    assert seconds(lanes, 10) == pytest.approx(0.018 + 0.1)
    writing(lanes, "stable", 1, written=15)
    assert seconds(lanes, 10) == pytest.approx(0.018 + 0.1 + 5 * 0.1)
    assert seconds(lanes, 10, version="canary") == pytest.approx(0.018 + 0.1)
    waiting(lanes, "stable", 10)
    assert seconds(lanes, 10) == pytest.approx(0.036 + 0.1 + 18 * 0.1)


def test_where_the_whole_batch_is_full_any_versions_end_makes_a_place() -> None:
    lanes = Lanes()
    writing(lanes, "stable", MAX_TEXTS_OF_ONE, written=2)
    writing(lanes, "canary", MAX_TEXTS - MAX_TEXTS_OF_ONE, written=3, limit=6)
    assert seconds(lanes, 10, version="canary") == pytest.approx(0.018 + 0.1 + 3 * 0.1)
    assert seconds(lanes, 10) == pytest.approx(0.018 + 0.1 + 18 * 0.1)
