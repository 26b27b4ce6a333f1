"""Live pages: a fragment is sent again when a fact that concerns it, or time, has changed it.

However many pages are open, the API is asked for no more than a fixed number of looks a second: they take turns.
"""

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from starlette.concurrency import run_in_threadpool

from controlplane.client import ApiError, Unreachable
from controlplane.ui.bell import RETRY_SECONDS, Bell
from controlplane.ui.page import Found, Page

LOOKS_A_SECOND: Final = 3.0
"""How often all live pages of a process together are looked at anew; each look is a handful of calls."""
KEEP_ALIVE_SECONDS: Final = 15.0
AWAY: Final = "event: away\ndata: the API does not answer\n\n"
"""The page says so, and keeps what it shows and what was typed."""
HERE: Final = "event: here\ndata: nothing has changed\n\n"
Look = Callable[[], tuple[Found, Mapping[str, str]]]
"""What was found, and the fragments by name."""


class Turns:
    """One look after another, evenly in time."""

    def __init__(self, a_second: float = LOOKS_A_SECOND) -> None:
        self._gap = 1 / a_second
        self._next = 0.0

    async def mine(self) -> None:
        now = time.monotonic()
        at = max(now, self._next)
        self._next = at + self._gap
        await asyncio.sleep(at - now)


async def changes(page: Page, look: Look, bell: Bell, turns: Turns) -> AsyncIterator[str]:
    """Server-sent events: the fragments that changed since the last one, each for the element of its name.

    Ends when the API refuses, so that the browser asks again and hears why.
    """
    sent: dict[str, str] = {}
    rung = asyncio.Event()
    with bell.heard_by(rung):
        while True:
            await turns.mine()
            rung.clear()
            try:
                found, parts = await run_in_threadpool(look)
            except Unreachable:
                yield AWAY
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except ApiError:
                return
            bell.rings_for(rung, page.concerns(found) if page.concerns else None)
            digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in parts.items()}
            changed = {name: text for name, text in parts.items() if sent.get(name) != digests[name]}
            sent = digests
            yield _message(bell.last, changed) if changed else HERE
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), min(KEEP_ALIVE_SECONDS, page.every_seconds(found)))


def _message(seq: int, parts: Mapping[str, str]) -> str:
    """For htmx: each fragment says where it belongs, and is morphed there, so that focus and what is open stay."""
    lines = "".join(
        f'<hx-partial hx-target="#{name}" hx-swap="innerMorph">{text}</hx-partial>' for name, text in parts.items()
    )
    data = "".join(f"data: {line}\n" for line in lines.splitlines())
    return f"id: {seq}\n{data}\n"
