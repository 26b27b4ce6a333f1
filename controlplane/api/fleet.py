"""The fleet over HTTP: every deployment in a line, for whoever looks after many."""

from fastapi import APIRouter

from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.request_context import Viewer
from controlplane.projections.fleet import fleet_rows, list_fleet
from schemas.views.fleet import FleetRow
from schemas.views.pages import Page

router = APIRouter(tags=["deployments"])


@router.get("/v1/fleet")
def get_fleet(call: Viewer, under_way: bool = False, limit: Limit = 50, cursor: Cursor = None) -> Page[FleetRow]:
    """By name. `under_way`: those alone where a rollout is, where the queue is frozen, or that somebody holds."""
    position = decode_cursor(cursor, str)
    with call.read() as session:
        rows = list_fleet(session, str(position[0]) if position else "", limit + 1, under_way=under_way)
        items = fleet_rows(session, rows[:limit], call.site.settings.gateway_silence_seconds)
    return Page(items=items, next=encode_cursor(items[-1].deployment) if len(rows) > limit else None)
