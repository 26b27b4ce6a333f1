"""One page of a list."""

from typing import Generic, TypeVar

from schemas.base import View

T = TypeVar("T")


class Page(View, Generic[T]):
    items: list[T]
    next: str | None = None
    """Pass it as `cursor` to read on; None: this was the last page."""
