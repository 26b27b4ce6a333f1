"""Rollouts over HTTP: start one, follow it, have a word in it, and ask why."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlmodel import Session

from controlplane.api.identities import DecisionId, RolloutId
from controlplane.api.pages import Cursor, Limit, decode_moment, encode_cursor
from controlplane.api.request_context import Auditor, Call, Operator, Releaser, Viewer
from controlplane.commands.rollouts import holds, operations
from controlplane.domain.roles import may, whoever_may
from controlplane.errors import Forbidden
from controlplane.projections import rollouts as reading
from controlplane.projections.evidence import evidence_view
from controlplane.projections.label_delays import delays_by_arm, wait_warnings
from controlplane.projections.labellers import labelled_by
from controlplane.projections.models import find_version
from controlplane.projections.why import explain_decision, find_decision, list_decisions
from controlplane.store.serving_tables import DecisionRow, RolloutRow
from controlplane.store.unit_of_work import UnitOfWork, database_time
from schemas.phases import RolloutPhase
from schemas.problem import refusals
from schemas.rollouts import OperatorRequest, RolloutPolicy, RolloutRequest
from schemas.views.holds import HoldReleaseRequest, HoldRequest
from schemas.views.pages import Page
from schemas.views.rollouts import DecisionDetail, DecisionView, EvidenceView, LabelDelay, RolloutDetail, RolloutView

router = APIRouter(tags=["rollouts"])


@router.post("/v1/rollouts", status_code=201, response_model=RolloutView, responses=refusals(404, 409))
def post_rollout(body: RolloutRequest, call: Operator) -> Response:
    """Gates are judged before this answers; behind an active rollout it queues. To waive gates needs role releaser."""
    if body.waive_gates is not None and not may(call.principal.role, "releaser"):
        needed = whoever_may("releaser")
        raise Forbidden(f"role {call.principal.role!r} may not waive gates: it needs {needed}", field="waive_gates")

    def effect(uow: UnitOfWork) -> RolloutView:
        version = find_version(uow.session, body.model_version)
        request = operations.StartRollout(body.deployment, version.id, body.reason, body.waive_gates)
        return _view(call, uow.session, operations.start_rollout(uow, request))

    return call.write(effect, status=201)


@router.get("/v1/rollouts")
def get_rollouts(
    call: Viewer,
    deployment: Annotated[str | None, Query(max_length=64)] = None,
    phase: RolloutPhase | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RolloutView]:
    """Newest first."""
    with call.read() as session:
        rows = reading.list_rollouts(session, deployment, phase, decode_moment(cursor), limit + 1)
        items = reading.rollout_views(session, rows[:limit], call.site.settings.gateway_silence_seconds)
    last = items[-1] if len(rows) > limit else None
    return Page(items=items, next=encode_cursor(last.created_at.isoformat(), str(last.id)) if last else None)


@router.get("/v1/rollouts/{rollout_id:segment}", responses=refusals(404))
def get_rollout(call: Viewer, rollout_id: RolloutId) -> RolloutDetail:
    with call.read() as session:
        row = operations.find_rollout(session, rollout_id)
        lines = reading.describe_analysis(session, row, database_time(session).timestamp())
        policy = RolloutPolicy.model_validate(row.policy)
        delays = {arm: LabelDelay(**found._asdict()) for arm, found in delays_by_arm(session, row).items()}
        warnings = wait_warnings(session, row.deployment, policy.canary)
        view, labellers = _view(call, session, row), labelled_by(session, rollout_id)
    return RolloutDetail(
        **dict(view),
        policy=policy,
        analysis=lines,
        label_delays=delays,
        labelled_by=labellers,
        warnings=warnings,
    )


@router.get("/v1/rollouts/{rollout_id:segment}/evidence", responses=refusals(404))
def get_evidence(call: Viewer, rollout_id: RolloutId) -> EvidenceView:
    """How it grew, block by block, made anew from the counts: a curve a metric, with what HARM and SAFE ask for."""
    with call.read() as session:
        row = operations.find_rollout(session, rollout_id)
    return evidence_view(row)


@router.post("/v1/rollouts/{rollout_id:segment}:pause", response_model=RolloutView, responses=refusals(404, 409))
def post_pause(call: Operator, rollout_id: RolloutId, body: OperatorRequest) -> Response:
    return call.write(lambda uow: _view(call, uow.session, operations.pause_rollout(uow, rollout_id, body)))


@router.post("/v1/rollouts/{rollout_id:segment}:resume", response_model=RolloutView, responses=refusals(404, 409))
def post_resume(call: Operator, rollout_id: RolloutId, body: OperatorRequest) -> Response:
    return call.write(lambda uow: _view(call, uow.session, operations.resume_rollout(uow, rollout_id, body)))


@router.post("/v1/rollouts/{rollout_id:segment}:promote", response_model=RolloutView, responses=refusals(404, 409))
def post_promote(call: Releaser, rollout_id: RolloutId, body: OperatorRequest) -> Response:
    """Skip the rest of the ladder: kept as a decision with its actor, reason and the evidence as it stood.

    409 while an auditor holds it, 403 for whoever released such a hold.
    """
    return call.write(
        lambda uow: _view(call, uow.session, operations.promote_rollout(uow, rollout_id, body, call.principal))
    )


@router.post("/v1/rollouts/{rollout_id:segment}:abort", response_model=RolloutView, responses=refusals(404, 409))
def post_abort(call: Operator, rollout_id: RolloutId, body: OperatorRequest) -> Response:
    """Back to stable alone, or out of the queue."""
    return call.write(lambda uow: _view(call, uow.session, operations.abort_rollout(uow, rollout_id, body)))


@router.post("/v1/rollouts/{rollout_id:segment}:hold", response_model=RolloutView, responses=refusals(404, 409))
def post_hold(call: Auditor, rollout_id: RolloutId, body: HoldRequest) -> Response:
    """It is not promoted and gets no more weight until somebody else releases it. Abort is never held."""
    by = call.principal
    return call.write(lambda uow: _view(call, uow.session, holds.hold_rollout(uow, rollout_id, by, body.reason)))


@router.post("/v1/rollouts/{rollout_id:segment}:release-hold", response_model=RolloutView, responses=refusals(404, 409))
def post_release_hold(call: Auditor, rollout_id: RolloutId, body: HoldReleaseRequest) -> Response:
    """By another person, with another token, than the holder; whoever releases it may not promote it."""
    by = call.principal
    return call.write(lambda uow: _view(call, uow.session, holds.release_rollout_hold(uow, rollout_id, by, body)))


@router.get("/v1/rollouts/{rollout_id:segment}/decisions", responses=refusals(404))
def get_decisions(call: Viewer, rollout_id: RolloutId) -> list[DecisionView]:
    """Oldest first."""
    with call.read() as session:
        operations.find_rollout(session, rollout_id)
        return [DecisionView(**_decision(row)) for row in list_decisions(session, rollout_id)]


@router.get("/v1/decisions/{decision_id}", responses=refusals(404))
def get_decision(call: Viewer, decision_id: DecisionId) -> DecisionDetail:
    """Why: in words, from the stored inputs, which are judged again while you wait."""
    with call.read() as session:
        row = find_decision(session, decision_id)
    why = explain_decision(row)
    return DecisionDetail(**_decision(row), inputs=row.inputs, why=why.lines, recomputed=why.recomputed)


def _view(call: Call, session: Session, row: RolloutRow) -> RolloutView:
    return reading.rollout_views(session, [row], call.site.settings.gateway_silence_seconds)[0]


def _decision(row: DecisionRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DecisionView.model_fields}
