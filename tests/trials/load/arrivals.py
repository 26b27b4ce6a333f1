"""When requests are due and what they are: drawn beforehand, whatever the system under load does."""

import random
from collections.abc import Iterator, Mapping
from typing import Literal

Spacing = Literal["poisson", "fixed"]


def schedule(
    mix: Mapping[str, float], *, rate: float, seconds: float, spacing: Spacing, seed: int
) -> Iterator[tuple[float, str]]:
    """(seconds after the start, target) in order; the same seed gives the same schedule."""
    dice = random.Random(seed)
    names, weights = list(mix), list(mix.values())
    at = 0.0
    while True:
        at += dice.expovariate(rate) if spacing == "poisson" else 1.0 / rate
        if at >= seconds:
            return
        yield at, dice.choices(names, weights)[0]


def parse_mix(text: str, known: Mapping[str, object]) -> dict[str, float]:
    """`predict=60,feedback=30`. Raises ValueError, saying which part is wrong and what was expected."""
    mix: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = part.strip().partition("=")
        if name not in known:
            raise ValueError(f"unknown target {name!r}: expected some of {', '.join(known)}")
        try:
            mix[name] = float(share)
        except ValueError:
            raise ValueError(f"{part.strip()!r}: expected NAME=SHARE, as predict=60") from None
        if not mix[name] >= 0:
            raise ValueError(f"{part.strip()!r}: a share is not negative")
    if not sum(mix.values()) > 0:
        raise ValueError("the shares add up to nothing")
    return mix
