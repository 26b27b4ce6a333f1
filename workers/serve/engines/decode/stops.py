"""Stop strings: an answer ends before the first of them, however its tokens split it."""

from collections.abc import Sequence


class StopStrings:
    """Holds text back while it may be the beginning of a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""

    def add(self, text: str) -> tuple[str, bool]:
        """What can be told of the text now, and whether it has ended."""
        held = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := held.find(stop)) >= 0]
        if found:
            # the first to be complete, so that it does not matter in which pieces the text comes
            _, start = min(found)
            self._held = ""
            return held[:start], True
        told = len(held) - max((_beginning(held, stop) for stop in self._stops), default=0)
        self._held = held[told:]
        return held[:told], False

    def rest(self) -> str:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        return held


def _beginning(text: str, stop: str) -> int:
    """Characters at the end of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((count for count in range(longest, 0, -1) if text.endswith(stop[:count])), 0)
