"""A claim of a job's result: what it restates of its spec, or of what is registered, must be what stands there."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class Claim:
    """One field of a result, and whether it is what the spec and the registry leave open to it."""

    field: str
    found: object
    holds: bool
    expected: str


def same(field: str, found: object, expected: object) -> Claim:
    return Claim(field, found, found == expected, f"{expected!r}, as the job's spec says")


def at_most(field: str, found: float, limit: float) -> Claim:
    return Claim(field, found, found <= limit, f"at most {limit:g}, as the job's spec says")


def at_least(field: str, found: float, limit: float) -> Claim:
    return Claim(field, found, found >= limit, f"at least {limit:g}, as the job's spec says")


def same_document(field: str, found: object, expected: object) -> Iterator[Claim]:
    """A claim for each value of two nested documents, by its dotted path."""
    if isinstance(found, BaseModel) and type(found) is type(expected):
        for name in type(found).model_fields:
            yield from same_document(f"{field}.{name}", getattr(found, name), getattr(expected, name))
    else:
        yield same(field, found, expected)
