"""Texts whose label is planted: a model that learns anything learns it."""

import random
from typing import Final

GOOD: Final = ("fine", "lovely", "superb", "warm", "witty")
BAD: Final = ("awful", "boring", "cold", "dull", "weak")
FILLER: Final = ("a", "and", "film", "it", "movie", "plot", "scene", "the", "this", "was")

Row = tuple[str, str]
"""A text and its label."""


def planted_rows(count: int, seed: int = 0) -> list[Row]:
    """Texts of filler and three telling words; both labels equally often."""
    generator = random.Random(seed)
    rows = []
    for number in range(count):
        label, words = (("negative", BAD), ("positive", GOOD))[number % 2]
        text = generator.choices(FILLER, k=generator.randint(1, 4)) + generator.choices(words, k=3)
        generator.shuffle(text)
        rows.append((" ".join(text), label))
    return rows
