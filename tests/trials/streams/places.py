"""Where a unit is found, and where the request may be found that a caller saw end in some way."""

from collections.abc import Mapping
from typing import Final, Literal

from tests.trials.streams.seen import Ending

Place = Literal["ok", "error", "abandoned", "lost", "late"]
"""By its end, as its gateway or that one's next boot told; never ended by a gateway that was killed, and told as an
error; in a second that came after the fold had passed it."""


def _or_late(*places: Place) -> frozenset[Place]:
    return frozenset((*places, "late"))


PLACES: Final[Mapping[Ending, frozenset[Place]]] = {
    "finished": _or_late("ok"),
    "failed": _or_late("error"),
    "hung up": _or_late("ok", "lost"),
    "left": _or_late("abandoned", "ok", "lost"),
    "cut": _or_late("ok", "lost"),
    "gone": _or_late("ok", "lost"),
    "refused": frozenset(),
}
"""Who left before the first piece may have been too late: it was there. Who hung up on a gateway that fell before it
noticed is lost with it. What a gateway had ended before it fell is ok, though its caller saw no end."""
UNSURE: Final[frozenset[Ending]] = frozenset({"left", "gone"})
"""No head came: the caller does not know whether the gateway has admitted it, nor for which arm."""
BROKEN: Final[frozenset[Ending]] = frozenset({"cut", "gone"})
"""Only a gateway that falls ends a connection."""
