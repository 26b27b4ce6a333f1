"""Puts values where `${space.path}` stands: pure, and strict about what cannot be found."""

import json
from collections.abc import Mapping
from typing import Any

from schemas.faults import kind_of
from schemas.pipelines import REFERENCE

ABSENT = object()


class UnresolvedReference(ValueError):
    """A reference that names nothing."""


def substitute(value: Any, spaces: Mapping[str, Any]) -> Any:
    """A value with every reference replaced; one that is a reference and nothing else keeps its type.

    Raises UnresolvedReference, naming the reference and how far its path led.
    """
    if isinstance(value, str):
        if whole := REFERENCE.fullmatch(value):
            return look_up(whole[1], whole[2], spaces)
        return REFERENCE.sub(lambda found: _as_text(look_up(found[1], found[2], spaces)), value)
    if isinstance(value, Mapping):
        return {key: substitute(item, spaces) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [substitute(item, spaces) for item in value]
    return value


def look_up(space: str, path: str, spaces: Mapping[str, Any]) -> Any:
    """What `${space.path}` stands for."""
    if space not in spaces:
        raise UnresolvedReference(f"${{{space}.{path}}}: there is no {space!r} here, only {', '.join(sorted(spaces))}")
    found = find(spaces[space], path)
    if found is ABSENT:
        raise UnresolvedReference(f"${{{space}.{path}}} cannot be resolved: {_how_far(spaces[space], space, path)}")
    return found


def find(value: Any, path: str) -> Any:
    """The value at a dotted path (a number indexes a list), or ABSENT. A key that holds dots is tried whole first."""
    if isinstance(value, Mapping) and path in value:
        return value[path]
    head, _, rest = path.partition(".")
    if isinstance(value, Mapping):
        inner = value.get(head, ABSENT)
    elif isinstance(value, list) and head.isdecimal() and int(head) < len(value):
        inner = value[int(head)]
    else:
        inner = ABSENT
    return inner if inner is ABSENT or not rest else find(inner, rest)


def _how_far(value: Any, walked: str, path: str) -> str:
    """The first part of a path that is not there, and what is there instead."""
    part, _, rest = path.partition(".")
    inner = find(value, part)
    if inner is not ABSENT:
        return _how_far(inner, f"{walked}.{part}", rest)
    there = f"it is {kind_of(value)}"
    if isinstance(value, Mapping):
        there = f"it has: {', '.join(sorted(map(str, value))[:20]) or 'nothing'}"
    return f"{walked} has no {part!r} ({there})"


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
