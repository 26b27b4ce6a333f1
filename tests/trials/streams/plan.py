"""What a seed plans: what each caller asks and when it hangs up, and which process is killed when."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tests.support.builders.decoders import planted_completions

Way = Literal["to the end", "some pieces", "no piece", "whole", "by name"]
"""A stream that is read to its end, left after some pieces or before its first; an answer in one; a stream of a version
that the caller names, which is nobody's unit."""
WAYS: Final[dict[Way, float]] = {"to the end": 45, "some pieces": 25, "no piece": 17, "whole": 10, "by name": 3}
"""How often, of 100."""
KEYED: Final = 0.6
"""The share of requests with a session key of their own, by whose hash they are found again in every account. All who
leave before the first piece have one: of them nothing else is known."""
LEG: Final = 1000
"""Requests under one rollout. The second gateway that is lost takes the canary's weight: then there is another one."""
GATEWAYS: Final = ("gateway-1", "gateway-2")
API: Final = "api"
MOST_PIECES, MOST_TOKENS = 15, 40
MOST_PATIENCE: Final = 0.02
"""Seconds until somebody hangs up who waits for no piece: some are not heard yet, some are answered already."""
MOST_THOUGHT: Final = 0.1
"""Seconds between an answer and the next question."""


@dataclass(frozen=True)
class Planned:
    """One request."""

    number: int
    way: Way
    key: str | None
    prompt: str
    max_tokens: int
    pieces: int
    patience: float
    thought: float
    prefers: int
    """Which gateway is asked, if it lives."""


@dataclass(frozen=True)
class Strike:
    """SIGKILL once so many requests of the leg have been sent; it is started again after `rest` seconds."""

    after: int
    part: str
    rest: float


@dataclass(frozen=True)
class Leg:
    """What happens under one rollout."""

    requests: tuple[Planned, ...]
    strikes: tuple[Strike, ...]


def plan_legs(requests: int, seed: int) -> Iterator[Leg]:
    dice = random.Random(seed)
    prompts = [row.prompt for row in planted_completions(200, seed)]
    for first in range(0, requests, LEG):
        numbers = range(first, min(first + LEG, requests))
        planned = tuple(_request(number, dice, prompts) for number in numbers)
        yield Leg(planned, tuple(sorted(_strikes(len(numbers), dice), key=lambda strike: strike.after)))


def _request(number: int, dice: random.Random, prompts: list[str]) -> Planned:
    way = dice.choices(list(WAYS), weights=list(WAYS.values()))[0]
    return Planned(
        number=number,
        way=way,
        key=f"caller-{number}" if way == "no piece" or dice.random() < KEYED else None,
        prompt=dice.choice(prompts),
        max_tokens=dice.randint(2, MOST_TOKENS),
        pieces=dice.randint(1, MOST_PIECES),
        patience=dice.uniform(0, MOST_PATIENCE),
        thought=dice.uniform(0, MOST_THOUGHT),
        prefers=dice.randrange(len(GATEWAYS)),
    )


def _strikes(requests: int, dice: random.Random) -> Iterator[Strike]:
    """The first gateway falls early, the API in the middle and the second gateway late."""
    for part, since, until in (
        (dice.choice(GATEWAYS), 0.1, 0.3),
        (API, 0.4, 0.6),
        (dice.choice(GATEWAYS), 0.7, 0.9),
    ):
        yield Strike(int(requests * dice.uniform(since, until)), part, round(dice.uniform(0, 2), 1))
