"""What gateways tell the control plane, with their own token, and labels for what they answered."""

from fastapi import APIRouter, Response

from controlplane.api.request_context import Gateway, Labeller, Reply
from controlplane.commands.serving import gateways
from controlplane.commands.serving.feedback import take_feedback
from controlplane.commands.serving.observations import Late, take_lost_units, take_observation
from controlplane.duties.rollouts import probe_answered
from controlplane.store.unit_of_work import UnitOfWork
from schemas.problem import MEDIA_TYPE, document, refusals
from schemas.serving import (
    FeedbackAnswer,
    FeedbackRequest,
    GatewayBoot,
    GatewayReport,
    LostUnits,
    Observation,
    ObservationAnswer,
)

router = APIRouter(tags=["gateways"])


@router.post("/v1/gateway/boots", status_code=204, responses=refusals(404, 409))
def post_boot(body: GatewayBoot, call: Gateway) -> Response:
    return call.write(lambda uow: gateways.register_boot(uow, body))


@router.post("/v1/gateway/reports", status_code=204, responses=refusals(404))
def post_report(body: GatewayReport, call: Gateway) -> Response:
    """A rollback that only waited for this gateway's proof moves at once, in a unit of work of its own."""
    answer = call.write(lambda uow: gateways.take_report(uow, body))
    if body.probed:
        silence = call.site.settings.gateway_silence_seconds
        probe_answered(call.site.database, [entry.probe for entry in body.probed], silence)
    return answer


@router.post("/v1/gateway/observations", response_model=ObservationAnswer, responses=refusals(404, 409))
def post_observation(body: Observation, call: Gateway) -> Response:
    """One second. 409: the fold has passed it; the second is recorded as lost."""

    def effect(uow: UnitOfWork) -> Reply:
        answer = take_observation(uow, body)
        return _too_late(answer) if isinstance(answer, Late) else Reply(answer)

    return call.write(effect)


@router.post("/v1/gateway/lost-units", status_code=204, responses=refusals(404))
def post_lost_units(body: LostUnits, call: Gateway) -> Response:
    return call.write(lambda uow: take_lost_units(uow, body))


@router.post("/v1/feedback", response_model=FeedbackAnswer, responses=refusals(404, 409))
def post_feedback(body: FeedbackRequest, call: Labeller) -> Response:
    """The label of one answer, once. It is kept with the token that gave it."""
    return call.write(lambda uow: FeedbackAnswer(counted=take_feedback(uow, body, call.principal)))


def _too_late(late: Late) -> Reply:
    """A refusal that commits: that a second was lost is itself a fact worth keeping."""
    detail = f"second {late.second} is at or below the horizon {late.horizon}: it is recorded as lost"
    problem = document(409, "late-observation", "The fold has passed that second", detail)
    return Reply(problem, status=409, headers={"content-type": MEDIA_TYPE})
