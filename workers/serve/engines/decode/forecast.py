"""When a text would have its first token: what is to be read and written before it, at a measured pace."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from workers.serve.engines.decode.lanes import Lane, Lanes

PROMPT_TOKENS: Final = 64
"""Tokens of prompts that are read for one version between two steps: they take about as long as four steps, so texts
under way go on; reading more of a prompt at once gains under a tenth."""
RUN_TOKENS: Final = 8
"""What reading some tokens costs beyond them: the weights are fetched once, however many tokens there are."""


@dataclass(frozen=True)
class Measured:
    """The pace of a base, and how long a version's answers are."""

    seconds_per_prompt_token: float
    seconds_per_step: float
    answer_tokens: float


def weigh(tokens: int) -> int:
    """What a prompt costs, in tokens."""
    return tokens + RUN_TOKENS * math.ceil(tokens / PROMPT_TOKENS)


def alone_seconds(prompts: Sequence[int], pace: Measured) -> float:
    """How long prompts of so many tokens take to be read if there is nothing else."""
    return sum(map(weigh, prompts)) * pace.seconds_per_prompt_token


def first_token_seconds(prompts: Sequence[int], lane: Lane, lanes: Lanes, pace: Measured) -> float:
    """From now until the last of the prompts is read, with what waits for its version and beside it.

    Prompts that are read together cost no more than one by one, and a round in which nothing is written reads more.
    """
    reading = [*lane.unread, *prompts]
    rounds = math.ceil(sum(reading) / PROMPT_TOKENS)
    beside = sum(_beside(other, rounds) for other in lanes if other is not lane)
    writing = rounds if any(other.under_way for other in lanes) else 0
    steps = writing + _steps_until_free(len(lane.waiting) + len(prompts), lane, lanes, pace)
    return (sum(map(weigh, reading)) + beside) * pace.seconds_per_prompt_token + steps * pace.seconds_per_step


def _beside(other: Lane, rounds: int) -> int:
    """What is read of another version meanwhile: in the round that is under way and in the next. Unit: token."""
    now = sum(weigh(min(prompt.remaining, PROMPT_TOKENS)) for _, prompt in other.reading)
    return min(sum(map(weigh, other.unread)), now + rounds * weigh(PROMPT_TOKENS))


def _steps_until_free(texts: int, lane: Lane, lanes: Lanes, pace: Measured) -> float:
    """Steps until so many more texts of the version have begun, each where another has ended."""
    lacking = texts - max(0, lanes.free(lane))
    if lacking <= 0:
        return 0
    candidates = [lane] if lane.is_full else lanes
    under_way = [request for one in candidates for request in one.under_way]
    ends = sorted(request.still_to_write(pace.answer_tokens) for request in under_way)
    turns, place = divmod(lacking - 1, max(1, len(ends)))
    return turns * pace.answer_tokens + (ends[place] if ends else 0)
