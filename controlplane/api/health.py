"""Is it alive, is it ready, what is it, and its numbers."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from controlplane.api.request_context import Site, Viewer
from controlplane.projections import inbound, metrics
from controlplane.settings import VERSION
from controlplane.store import schema
from controlplane.store.unit_of_work import UnitOfWork
from schemas.problem import refusals
from schemas.views.health import Info, Readiness

router = APIRouter(tags=["health"])


class Metrics(Response):
    media_type = CONTENT_TYPE_LATEST


@router.get("/healthz")
def get_health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model_exclude_defaults=True)
def get_ready(request: Request) -> Readiness:
    """The database answers and its schema fits this code; 503 otherwise.

    `degraded` (still 200: this process answers) when other people's events on Kafka are not read, and why.
    """
    site: Site = request.app.state.site
    schema.check(site.database)
    if not site.settings.kafka_bootstrap_servers:
        return Readiness(status="ready")
    with site.database.read() as session:
        faults, lag = inbound.faults(session), inbound.lag(session)
    return Readiness(status="degraded" if faults else "ready", inbound_lag=lag, inbound=faults)


@router.get("/v1/info", responses=refusals(401, 403, 429))
def get_info(call: Viewer) -> Info:
    settings = call.site.settings
    return Info(
        version=VERSION,
        schema_version=schema.SCHEMA_VERSION,
        source=UnitOfWork.source,
        mode="kafka" if settings.kafka_bootstrap_servers else "embedded",
        artifacts_url=settings.resolved_artifacts_url(),
    )


@router.get("/metrics", response_class=Metrics, responses=refusals(401, 403, 429))
def get_metrics(call: Viewer) -> Response:
    """Prometheus text, computed from the state tables."""
    with call.read() as session:
        return Metrics(metrics.render(session))
