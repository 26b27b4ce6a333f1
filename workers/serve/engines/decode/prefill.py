"""What a round reads of the prompts that wait: each version's share of it, and which prompts are read in one run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from workers.graph.decoder.reading import Reading
from workers.serve.engines.decode.forecast import PROMPT_TOKENS, RUN_TOKENS
from workers.serve.engines.decode.request import Request

FIRST_ROUND_TOKENS: Final = 512
"""Tokens of prompts that all versions read in a round while no text is written, so that nobody waits for the next step:
what has come together begins together."""
MAX_RUN_TOKENS: Final = 128
"""Tokens of several prompts that one run reads, padding too: more at once gain nothing, and their first tokens come
later."""


@dataclass(frozen=True)
class Part:
    """So many tokens of a prompt, which are read next."""

    request: Request
    reading: Reading
    tokens: int


def share(versions: int, *, writing: bool) -> int:
    """Tokens that a round has for each version of which prompts wait; `writing`: texts wait for the next step."""
    return PROMPT_TOKENS if writing else max(PROMPT_TOKENS, FIRST_ROUND_TOKENS // max(1, versions))


def parts_of(prompts: Iterator[tuple[Request, Reading]], tokens: int) -> list[Part]:
    """A version's share, of its prompts in their order; no prompt is asked for that the share has nothing left for."""
    parts: list[Part] = []
    while tokens > 0 and (prompt := next(prompts, None)) is not None:
        request, reading = prompt
        parts.append(Part(request, reading, min(tokens, PROMPT_TOKENS, reading.remaining)))
        tokens -= parts[-1].tokens
    return parts


def runs_of(shares: Sequence[Sequence[Part]]) -> list[list[Part]]:
    """What is read together: prompts of about one length, where padding costs less than a run of their own would.

    The graph reads on behind a first part for one prompt alone. Versions take turns.
    """
    in_turn = [part for parts in zip_longest(*shares) for part in parts if part is not None]
    place = {part.reading: number for number, part in enumerate(in_turn)}
    runs = [[part] for part in in_turn if part.reading.begun]
    together: list[list[Part]] = []
    for part in sorted((part for part in in_turn if not part.reading.begun), key=lambda part: -part.tokens):
        if together and _fits(part, together[-1]):
            together[-1].append(part)
        else:
            together.append([part])
    return sorted(runs + together, key=lambda run: min(place[part.reading] for part in run))


def padded_tokens(run: Sequence[Part]) -> int:
    return len(run) * max(part.tokens for part in run)


def _fits(part: Part, run: Sequence[Part]) -> bool:
    """`run` begins with its longest."""
    padding = run[0].tokens - part.tokens
    return padding <= RUN_TOKENS and (len(run) + 1) * run[0].tokens <= MAX_RUN_TOKENS
