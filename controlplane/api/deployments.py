"""Deployments over HTTP: policies, desired states, what served when, and rollback."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from controlplane.api.pages import Cursor, Limit, decode_cursor, encode_cursor
from controlplane.api.paths import PathName
from controlplane.api.request_context import Auditor, Gateway, Releaser, Reply, Viewer
from controlplane.api.revisions import Why
from controlplane.commands.rollouts import holds, rollbacks
from controlplane.commands.serving import deployments
from controlplane.commands.serving.generations import describe_generation
from controlplane.projections.deployments import (
    deployment_view,
    find_deployment,
    gateway_views,
    list_deployments,
    list_rollbacks,
    rollback_view,
    served_view,
)
from controlplane.store.unit_of_work import UnitOfWork, database_time
from schemas.base import Moment
from schemas.problem import refusals
from schemas.rollouts import DeploymentSpec, RollbackRequest
from schemas.serving import Generation
from schemas.views.deployments import DeploymentView, GatewayView, RollbackView, ServedView
from schemas.views.holds import HoldReleaseRequest, HoldRequest
from schemas.views.pages import Page

router = APIRouter(tags=["deployments"])


@router.put(
    "/v1/deployments/{name:segment}",
    response_model=DeploymentView,
    responses={201: {"model": DeploymentView}, **refusals(404, 409)},
)
def put_deployment(name: PathName, body: DeploymentSpec, call: Releaser, reason: Why = None) -> Response:
    """Create it (201) or change its policy (200), a new revision. A rollout under way keeps the policy that it has."""

    def effect(uow: UnitOfWork) -> Reply:
        row, created = deployments.put_deployment(uow, name, body, reason)
        return Reply(deployment_view(uow.session, row), status=201 if created else 200)

    return call.write(effect)


@router.get("/v1/deployments")
def get_deployments(call: Viewer, limit: Limit = 50, cursor: Cursor = None) -> Page[DeploymentView]:
    after = decode_cursor(cursor, str)
    with call.read() as session:
        rows = list_deployments(session, str(after[0]) if after else "", limit + 1)
        items = [deployment_view(session, row) for row in rows[:limit]]
    return Page(items=items, next=encode_cursor(items[-1].name) if len(rows) > limit else None)


@router.get("/v1/deployments/{name:segment}", responses=refusals(404))
def get_deployment(name: PathName, call: Viewer) -> DeploymentView:
    with call.read() as session:
        return deployment_view(session, find_deployment(session, name))


@router.get(
    "/v1/deployments/{name:segment}/generation",
    response_model=Generation,
    responses={204: {"description": "Nothing newer"}, **refusals(404, 409)},
)
async def get_generation(
    name: PathName,
    call: Gateway,
    after: Annotated[int | None, Query(ge=-1)] = None,
    wait: Annotated[float, Query(ge=0, le=60)] = 0,
) -> Response:
    """The desired state once it is newer than `after`, waiting up to `wait` seconds for it; 204 when it is not."""

    def look() -> Generation | None:
        with call.read() as session:
            deployment = find_deployment(session, name)
            return describe_generation(session, deployment) if after is None or deployment.generation > after else None

    found = await call.site.feed.wait_for(look, wait, call.gone)
    if found is None:
        return Response(status_code=204)
    return Response(found.model_dump_json(), media_type="application/json")


@router.get("/v1/deployments/{name:segment}/gateways", responses=refusals(404))
def get_gateways(name: PathName, call: Viewer) -> list[GatewayView]:
    """The last boot of each gateway, and whether it reported lately."""
    silence = call.site.settings.gateway_silence_seconds
    with call.read() as session:
        find_deployment(session, name)
        return gateway_views(session, name, database_time(session), silence)


@router.get("/v1/deployments/{name:segment}/served", responses=refusals(404))
def get_served(name: PathName, call: Viewer, at: Moment | None = None) -> ServedView:
    """What was desired at a time, and what each gateway had said to apply by then. Without `at`: now."""
    with call.read() as session:
        find_deployment(session, name)
        return served_view(session, name, at or database_time(session))


@router.post(
    "/v1/deployments/{name:segment}:rollback",
    status_code=202,
    response_model=RollbackView,
    responses=refusals(404, 409),
)
def post_rollback(name: PathName, body: RollbackRequest, call: Releaser) -> Response:
    """Roll back to what served before, or to `target`. Read on at `…/rollbacks`."""
    silence = call.site.settings.gateway_silence_seconds
    return call.write(
        lambda uow: rollback_view(uow.session, rollbacks.start_rollback(uow, name, body, silence)), status=202
    )


@router.get("/v1/deployments/{name:segment}/rollbacks", responses=refusals(404))
def get_rollbacks(name: PathName, call: Viewer, limit: Limit = 50) -> list[RollbackView]:
    """Newest first."""
    with call.read() as session:
        find_deployment(session, name)
        return [rollback_view(session, row) for row in list_rollbacks(session, name, limit)]


@router.post("/v1/deployments/{name:segment}:resume", response_model=DeploymentView, responses=refusals(404, 409))
def post_resume(name: PathName, call: Releaser) -> Response:
    """Let queued rollouts go on after a rollback froze them."""
    return call.write(lambda uow: deployment_view(uow.session, rollbacks.resume_queue(uow, name)))


@router.post("/v1/deployments/{name:segment}:hold", response_model=DeploymentView, responses=refusals(404, 409))
def post_hold(name: PathName, body: HoldRequest, call: Auditor) -> Response:
    """No rollout of it is promoted or gets more weight until somebody else releases it. Rollback is never held."""
    by = call.principal
    return call.write(lambda uow: deployment_view(uow.session, holds.hold_deployment(uow, name, by, body.reason)))


@router.post("/v1/deployments/{name:segment}:release-hold", response_model=DeploymentView, responses=refusals(404, 409))
def post_release_hold(name: PathName, body: HoldReleaseRequest, call: Auditor) -> Response:
    """By another person, with another token, than the holder. Holds on single rollouts stay."""
    by = call.principal
    return call.write(lambda uow: deployment_view(uow.session, holds.release_deployment_hold(uow, name, by, body)))
