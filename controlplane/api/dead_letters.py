"""Dead letters over HTTP: who may see their bytes is an auditor, who sends them back or closes them an operator."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from controlplane.api.identities import LetterId
from controlplane.api.pages import Cursor, Limit, decode_moment, encode_cursor
from controlplane.api.request_context import Auditor, Operator, Viewer
from controlplane.commands.spine import dead_letters
from controlplane.projections.dead_letters import find_dead_letter, letter_content, letter_view, list_dead_letters
from schemas.problem import refusals
from schemas.views.dead_letters import DeadLetterContent, DeadLetterView, Status
from schemas.views.pages import Page

router = APIRouter(tags=["dead letters"])


@router.get("/v1/dead-letters")
def get_dead_letters(
    call: Viewer, status: Annotated[Status | None, Query()] = None, limit: Limit = 50, cursor: Cursor = None
) -> Page[DeadLetterView]:
    """Newest first, without their bytes."""
    with call.read() as session:
        rows = list_dead_letters(session, status=status, limit=limit + 1, after=decode_moment(cursor))
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(
        items=[letter_view(row) for row in rows[:limit]],
        next=encode_cursor(last.at.isoformat(), str(last.id)) if last else None,
    )


@router.get("/v1/dead-letters/{letter_id:segment}", responses=refusals(404))
def get_dead_letter(call: Auditor, letter_id: LetterId) -> DeadLetterContent:
    """The whole letter as it came."""
    with call.read() as session:
        return letter_content(find_dead_letter(session, letter_id))


@router.post(
    "/v1/dead-letters/{letter_id:segment}:replay",
    status_code=202,
    response_model=DeadLetterView,
    responses=refusals(404, 409),
)
def post_replay(call: Operator, letter_id: LetterId) -> Response:
    """Its consumer tries again: Replayed in the transaction of its effect, or Open again with the reason."""
    return call.write(lambda uow: letter_view(dead_letters.replay_dead_letter(uow, letter_id)), status=202)


@router.post(
    "/v1/dead-letters/{letter_id:segment}:discard", response_model=DeadLetterView, responses=refusals(404, 409)
)
def post_discard(call: Operator, letter_id: LetterId) -> Response:
    """Close it without its effect. A fact that Kafka refused lets the later ones of its subject pass."""
    return call.write(lambda uow: letter_view(dead_letters.discard_dead_letter(uow, letter_id)))
