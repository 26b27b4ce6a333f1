"""The event feed: long poll by seq."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from controlplane.api.request_context import Viewer, Worker
from controlplane.errors import Invalid
from controlplane.transport.event_log import Types, last_seq, read_events, read_newest_events
from schemas.facts import types_named
from schemas.problem import refusals
from schemas.views.events import FeedPage

router = APIRouter(tags=["events"])
Wait = Annotated[float, Query(ge=0, le=60)]


def _types(names: list[str], field: str) -> list[str]:
    try:
        return [found for name in names for found in types_named(name)]
    except ValueError as error:
        raise Invalid(str(error), field=field) from error


def _wanted(
    type: Annotated[list[str] | None, Query(max_length=20)] = None,
    without: Annotated[list[str] | None, Query(max_length=20)] = None,
) -> Types:
    return Types(_types(type or [], "type"), _types(without or [], "without"))


async def _page(call: Viewer | Worker, after: int | None, types: Types, limit: int, wait: float) -> FeedPage:
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
    types: Annotated[Types, Depends(_wanted)],
    after: Annotated[int | None, Query(ge=0)] = None,
    newest: Annotated[int | None, Query(ge=1, le=1000)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    wait: Wait = 0,
) -> FeedPage:
    """Facts after a seq, oldest first, waiting up to `wait` seconds for one. Without `after`: where the log ends, and
    with `newest` so many facts before that.

    A type, wanted or left out (`without`), is given in full or short: `job.failed`.
    """
    if newest is None:
        return await _page(call, after, types, limit, wait)
    if after is not None:
        raise Invalid("expected none beside `after`", field="newest")
    with call.read() as session:
        last = last_seq(session)
        return FeedPage(items=read_newest_events(session, last, newest, types), last=last)


@router.get("/v1/doorbell", responses=refusals(410))
async def get_doorbell(call: Worker, after: Annotated[int | None, Query(ge=0)] = None, wait: Wait = 0) -> FeedPage:
    """The feed as a worker may read it: `job.requested` only."""
    return await _page(call, after, Types(only=["dev.graftwork.job.requested.v1"]), 100, wait)
