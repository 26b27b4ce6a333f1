"""What a request will cost, known before it is computed: its rows in tokens, and what a token costs here."""

import math
from collections.abc import Sequence

ROW_TOKENS = 10
"""What a row costs beyond its own tokens, as `workers.graph.batching.BATCH_TOKENS` was measured."""
BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 that are taken for one token, about: nobody's text is tokenised on arrival. Other texts cost more a
byte, and so does then a token."""
CHARACTERS_READ = 350
"""Tokenising so many characters takes as long as computing one token; all are read, however few tokens count."""
RATE_SECONDS = 2.0
"""The time over which arrivals are averaged: longer tells less of the next seconds, shorter is ruled by chance."""


def weigh(texts: Sequence[str], max_length: int) -> tuple[int, ...]:
    """Each row's cost in tokens."""
    return tuple(_weight(text, max_length) for text in texts)


def _weight(text: str, max_length: int) -> int:
    head = text[: BYTES_PER_TOKEN * max_length].encode("utf-8", "surrogatepass")
    tokens = min(max_length, 2 + len(head) // BYTES_PER_TOKEN)
    return ROW_TOKENS + tokens + len(text) // CHARACTERS_READ


class Rate:
    """Tokens a second over the last seconds, older ones weighing less."""

    def __init__(self) -> None:
        self._rate, self._at = 0.0, 0.0

    def add(self, tokens: int, now: float) -> None:
        self._rate, self._at = self.at(now) + tokens / RATE_SECONDS, now

    def at(self, now: float) -> float:
        return self._rate * math.exp((self._at - now) / RATE_SECONDS)


class Arrivals:
    """What comes lately, told apart by the size of the request, to within a factor of two."""

    def __init__(self) -> None:
        self._rates: dict[int, Rate] = {}

    def add(self, tokens: int, now: float) -> None:
        self._rates.setdefault(tokens.bit_length(), Rate()).add(tokens, now)

    def of_smaller_ones(self, tokens: int, now: float) -> float:
        """Tokens a second of the requests that are clearly smaller than one of so many."""
        return sum(rate.at(now) for size, rate in self._rates.items() if size < tokens.bit_length())
