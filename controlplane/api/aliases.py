"""Aliases over HTTP: the ETag is the last move, and nobody moves one without naming it."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from pydantic import Field

from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.paths import PathName
from controlplane.api.request_context import Releaser, Reply, Viewer
from controlplane.commands.registry.aliases import set_alias
from controlplane.domain.alias import etag, expected_move
from controlplane.errors import NotFound
from controlplane.projections import aliases, models
from controlplane.store.unit_of_work import UnitOfWork
from schemas.problem import refusals
from schemas.views.aliases import AliasRequest, Move
from schemas.views.pages import Page

router = APIRouter(tags=["models"])
ROUTE = "/v1/models/{name}/aliases/{alias}"
IfMatch = Annotated[str | None, Header(max_length=200)]
IfNoneMatch = Annotated[str | None, Header(max_length=200)]
REASON = Field(min_length=1, max_length=500)


@router.get(ROUTE, responses=refusals(404))
def get_alias(name: PathName, alias: PathName, call: Viewer, response: Response) -> Move:
    """The move that made it point where it points."""
    with call.read() as session:
        if (found := aliases.find_alias(session, name, alias)) is None:
            models.find_model(session, name)
            raise NotFound(f"{name}@{alias} is not set")
    move, version = found
    response.headers["ETag"] = etag(move.id)
    return _move(move, version)


@router.put(ROUTE, response_model=Move, responses=refusals(404, 409, 412, 428))
def put_alias(
    name: PathName,
    alias: PathName,
    body: AliasRequest,
    call: Releaser,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Move it: 428 without a precondition, 412 when somebody else moved it first, 409 when a deployment follows it."""

    def effect(uow: UnitOfWork) -> Reply:
        expected = expected_move(if_match, if_none_match)
        row, version = set_alias(uow, name, alias, body.model_version, expected=expected, reason=body.reason)
        return Reply(_move(row, version), headers={"ETag": etag(row.id)})

    return call.write(effect)


@router.delete(ROUTE, status_code=204, responses=refusals(404, 409, 412, 428))
def delete_alias(
    name: PathName,
    alias: PathName,
    call: Releaser,
    reason: Annotated[str, Query(min_length=1, max_length=500)],
    if_match: IfMatch = None,
) -> Response:
    """Remove it; its history stays."""

    def effect(uow: UnitOfWork) -> None:
        set_alias(uow, name, alias, None, expected=expected_move(if_match, None), reason=reason)

    return call.write(effect)


@router.get(ROUTE + "/history", responses=refusals(404))
def get_history(name: PathName, alias: PathName, call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[Move]:
    """Every move, newest first."""
    below = decode_cursor(cursor, int)
    with call.read() as session:
        models.find_model(session, name)
        rows = aliases.list_moves(session, name, alias, int(below[0]) if below else None, limit + 1)
    last = rows[limit - 1][0].seq if len(rows) > limit else None
    return Page(
        items=[_move(row, version) for row, version in rows[:limit]], next=encode_cursor(last) if last else None
    )


def _move(row: object, version: int | None) -> Move:
    return Move.model_validate(
        {**{field: getattr(row, field) for field in Move.model_fields if field != "version"}, "version": version}
    )
