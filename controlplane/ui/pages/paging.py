"""The first items of a list that the API gives page by page, and whether there are more."""

from collections.abc import Iterator
from itertools import islice
from typing import Final, TypeVar

T = TypeVar("T")
API_PAGE: Final = 50
"""Items of a page of the API where no limit is asked for."""


def some(found: Iterator[T], most: int) -> tuple[list[T], bool]:
    """One call where a page of the API holds them: no more than `most` are read, and one to know of others."""
    items = list(islice(found, most + 1))
    return items[:most], len(items) > most
