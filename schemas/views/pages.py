"""One page of a list."""

from typing import Generic, TypeVar

from pydantic import BaseModel

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    items: list[T]
    next: str | None = None
    """Pass it as `cursor` to read on; None: this was the last page."""
