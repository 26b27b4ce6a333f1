"""What an event can hold at all, so that a mistyped path is refused when it is applied and not with every event."""

import re
from collections.abc import Collection, Sequence
from typing import Final

from schemas.cloudevent import CORE_ATTRIBUTES, FeedEvent
from schemas.facts import BY_TYPE
from schemas.faults import did_you_mean, nearest

DEFERRED: Final = ("count", "events")
"""What a run sees of the events that its trigger's cooldown held back."""
EXTENSION: Final = re.compile(r"[a-z0-9]+")
"""How CloudEvents names attributes that it does not define itself; each is a single value."""


def never_there(path: str, types: Sequence[str] = ()) -> str | None:
    """Why no event of these types has anything at a dotted path, in words; None: one may have. No types: any event."""
    head, _, rest = path.partition(".")
    inner = rest.partition(".")[0]
    is_ours = bool(types) and all(name in BY_TYPE for name in types)
    known = {*(FeedEvent.model_fields if is_ours else CORE_ATTRIBUTES), "deferred"}
    holding = {"data", "deferred"}
    if rest and head not in holding:
        return _lacks("an event", head, holding) if head not in known else f"{head} is a single value"
    if head not in known and (is_ours or not EXTENSION.fullmatch(head)):
        return _lacks("an event", head, known)
    if head == "deferred" and rest and inner not in DEFERRED:
        return _lacks("deferred", inner, DEFERRED)
    fields = {name for one in types for name in BY_TYPE[one].model_fields} if is_ours else set()
    if head == "data" and rest and is_ours and inner not in fields:
        return _lacks(f"the data of {' and '.join(types)}", inner, fields)
    return None


def _lacks(what: str, name: str, known: Collection[str]) -> str:
    return f"{what} has no {name!r}; expected one of {', '.join(sorted(known))}{did_you_mean(nearest(name, known))}"
