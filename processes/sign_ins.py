"""How both HTTP doors, the API and a gateway, slow down whoever guesses tokens."""

import hashlib
import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque

WINDOW_SECONDS = 60
MAX_TRACKED = 10_000
"""Addresses and token prefixes that are remembered at once; beyond it the one that failed longest ago is forgotten."""
PREFIX_CHARACTERS = 8


class FailedSignIns:
    """Unknown tokens of the last minute, by the address that they came from and by how the token begins.

    Only failures are counted and only failures are refused: a good token always passes, also from behind the address
    of a guesser. So the limit is no lock; what cannot be guessed are the tokens. Requests come on many threads.
    """

    def __init__(self, per_minute: int, max_tracked: int = MAX_TRACKED) -> None:
        self._per_minute = per_minute
        self._max_tracked = max_tracked
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, address: str | None, token: str, now: float | None = None) -> int | None:
        """One more failure. None: still within the limit; else in how many seconds it will be again."""
        moment = time.monotonic() if now is None else now
        with self._lock:
            waits = [self._wait(key, moment) for key in (f"address {network_of(address)}", f"prefix {_begin(token)}")]
        wait = max(waits)
        return math.ceil(wait) if wait > 0 else None

    def _wait(self, key: str, now: float) -> float:
        """Zero when this failure fits into the key's window, which then holds it."""
        times = self._failures.setdefault(key, deque())
        self._failures.move_to_end(key)
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        if len(times) >= self._per_minute:
            return times[0] + WINDOW_SECONDS - now
        times.append(now)
        if len(self._failures) > self._max_tracked:
            self._failures.popitem(last=False)
        return 0.0


def network_of(address: str | None) -> str:
    """Who may change an address at will is one: IPv6 by its /64."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if parsed.version == 4:
        return str(parsed)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return str(mapped or ipaddress.ip_network(f"{parsed}/64", strict=False))


def _begin(token: str) -> str:
    """A token's first characters, hashed, because they may be half of somebody's password."""
    begin = token.removeprefix("gw_")[:PREFIX_CHARACTERS]
    return hashlib.sha256(begin.encode("utf-8", "surrogatepass")).hexdigest()[:16]
