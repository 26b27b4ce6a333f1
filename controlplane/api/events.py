"""The event feed: long poll by seq."""

from typing import Annotated

from fastapi import APIRouter, Query

from controlplane.api.request_context import Viewer, Worker
from controlplane.errors import Invalid
from controlplane.transport.event_log import last_seq, read_events
from schemas.facts import types_named
from schemas.problem import refusals
from schemas.views.events import FeedPage

router = APIRouter(tags=["events"])
Wait = Annotated[float, Query(ge=0, le=60)]


def _types(names: list[str]) -> list[str]:
    try:
        return [found for name in names for found in types_named(name)]
    except ValueError as error:
        raise Invalid(str(error), field="type") from error


async def _page(call: Viewer | Worker, after: int | None, types: list[str], limit: int, wait: float) -> FeedPage:
    feed = call.site.feed
    first = True

    def look() -> FeedPage | None:
        nonlocal first
        with call.read() as session:
            if after is None:
                return FeedPage(items=[], last=last_seq(session))
            # what is committed while somebody waits is not pruned so soon: one look at retention is enough
            items = read_events(session, after, limit=limit, types=types, check_retention=first)
            first = False
            return FeedPage(items=items, last=items[-1].seq) if items else None

    return await feed.wait_for(look, wait, call.gone) or FeedPage(items=[], last=after or 0)


@router.get("/v1/events", responses=refusals(410))
async def get_events(
    call: Viewer,
    after: Annotated[int | None, Query(ge=0)] = None,
    type: Annotated[list[str] | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    wait: Wait = 0,
) -> FeedPage:
    """Facts after a seq, oldest first, waiting up to `wait` seconds for one. Without `after`: where the log ends.

    A type is given in full or short: `job.failed`.
    """
    return await _page(call, after, _types(type or []), limit, wait)


@router.get("/v1/doorbell", responses=refusals(410))
async def get_doorbell(call: Worker, after: Annotated[int | None, Query(ge=0)] = None, wait: Wait = 0) -> FeedPage:
    """The feed as a worker may read it: `job.requested` only."""
    return await _page(call, after, ["dev.graftwork.job.requested.v1"], 100, wait)
