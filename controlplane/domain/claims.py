"""A claim of a job's result: what it restates of its spec, or of what is registered, must be what stands there."""

from dataclasses import dataclass


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


def same_modules(field: str, found: tuple[str, ...], registered: frozenset[str]) -> Claim:
    """The same target modules in any order."""
    return Claim(field, sorted(found), set(found) == registered, f"{sorted(registered)}, as registered")
