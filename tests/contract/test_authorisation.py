"""Who may call what: every route of the app times every role, held to one table."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from controlplane.continuations import open_database
from schemas.roles import Role
from tests.support.operations import Operation, all_operations, an_app, routes
from tests.support.worlds.in_process import ROLES, InProcess

READERS = "viewer operator releaser auditor admin"
OPERATORS = "operator releaser admin"
RELEASERS = "releaser admin"
AUDITORS = "auditor admin"
PUBLIC = "public"
ANYONE = "viewer operator releaser auditor feedback worker gateway admin"
MAY = {
    "GET /openapi.json": PUBLIC,
    "GET /healthz": PUBLIC,
    "GET /readyz": PUBLIC,
    "GET /metrics": READERS,
    "GET /v1/info": READERS,
    "GET /v1/events": READERS,
    "POST /v1/events": OPERATORS,
    "GET /v1/doorbell": "worker admin",
    "GET /v1/caller": ANYONE,
    "POST /v1/tokens": "admin",
    "GET /v1/tokens": "admin",
    "DELETE /v1/tokens/{token_id}": "admin",
    "POST /v1/jobs": OPERATORS,
    "GET /v1/jobs": READERS,
    "GET /v1/jobs/{job_id}": READERS,
    "GET /v1/jobs/{job_id}/logs": READERS,
    "GET /v1/jobs/{job_id}/curves": READERS,
    "POST /v1/jobs/{job_id}:cancel": OPERATORS,
    "POST /v1/jobs/{job_id}:retry": OPERATORS,
    "POST /v1/jobs:claim": "worker admin",
    "POST /v1/jobs/{job_id}:heartbeat": "worker admin",
    "POST /v1/jobs/{job_id}:complete": "worker admin",
    "POST /v1/jobs/{job_id}:fail": "worker admin",
    "POST /v1/jobs/{job_id}:release": "worker admin",
    "GET /v1/datasets": READERS,
    "GET /v1/datasets/{name}/versions": READERS,
    "GET /v1/dataset-versions/{reference}": READERS,
    "GET /v1/models": READERS,
    "GET /v1/models/{name}": READERS,
    "GET /v1/models/{name}/versions": READERS,
    "GET /v1/model-versions/{reference}": READERS,
    "GET /v1/models/{name}/aliases/{alias}": READERS,
    "PUT /v1/models/{name}/aliases/{alias}": RELEASERS,
    "DELETE /v1/models/{name}/aliases/{alias}": RELEASERS,
    "GET /v1/models/{name}/aliases/{alias}/history": READERS,
    "PUT /v1/deployments/{name}": RELEASERS,
    "GET /v1/deployments": READERS,
    "GET /v1/fleet": READERS,
    "GET /v1/deployments/{name}": READERS,
    "GET /v1/deployments/{name}/history": READERS,
    "GET /v1/deployments/{name}/generation": "gateway admin",
    "GET /v1/deployments/{name}/gateways": READERS,
    "GET /v1/deployments/{name}/served": READERS,
    "GET /v1/deployments/{name}/rollbacks": READERS,
    "POST /v1/deployments/{name}:rollback": RELEASERS,
    "POST /v1/deployments/{name}:resume": RELEASERS,
    "POST /v1/deployments/{name}:hold": AUDITORS,
    "POST /v1/deployments/{name}:release-hold": AUDITORS,
    "POST /v1/gateway/boots": "gateway admin",
    "POST /v1/gateway/reports": "gateway admin",
    "POST /v1/gateway/observations": "gateway admin",
    "POST /v1/gateway/lost-units": "gateway admin",
    "POST /v1/feedback": "feedback admin",
    "POST /v1/rollouts": OPERATORS,
    "GET /v1/rollouts": READERS,
    "GET /v1/rollouts/{rollout_id}": READERS,
    "POST /v1/rollouts/{rollout_id}:pause": OPERATORS,
    "POST /v1/rollouts/{rollout_id}:resume": OPERATORS,
    "POST /v1/rollouts/{rollout_id}:promote": RELEASERS,
    "POST /v1/rollouts/{rollout_id}:abort": OPERATORS,
    "POST /v1/rollouts/{rollout_id}:hold": AUDITORS,
    "POST /v1/rollouts/{rollout_id}:release-hold": AUDITORS,
    "GET /v1/rollouts/{rollout_id}/decisions": READERS,
    "GET /v1/rollouts/{rollout_id}/evidence": READERS,
    "GET /v1/decisions/{decision_id}": READERS,
    "PUT /v1/pipelines/{name}": OPERATORS,
    "GET /v1/pipelines": READERS,
    "GET /v1/pipelines/{name}": READERS,
    "GET /v1/pipelines/{name}/history": READERS,
    "POST /v1/pipelines/{name}:run": OPERATORS,
    "GET /v1/pipeline-runs": READERS,
    "GET /v1/pipeline-runs/{run_id}": READERS,
    "POST /v1/pipeline-runs/{run_id}:cancel": OPERATORS,
    "PUT /v1/triggers/{name}": OPERATORS,
    "GET /v1/triggers": READERS,
    "GET /v1/triggers/{name}": READERS,
    "GET /v1/triggers/{name}/history": READERS,
    "DELETE /v1/triggers/{name}": OPERATORS,
    "GET /v1/trigger-evaluations": READERS,
    "GET /v1/audit": AUDITORS,
    "GET /v1/audit/{entry}": AUDITORS,
    "GET /v1/dead-letters": READERS,
    "GET /v1/dead-letters/{letter_id}": AUDITORS,
    "POST /v1/dead-letters/{letter_id}:replay": OPERATORS,
    "POST /v1/dead-letters/{letter_id}:discard": OPERATORS,
}
"""Method and path to the roles that may call it. A new route fails the test until somebody decides here."""
OPENAPI = Operation("GET", "/openapi.json", {})
"""Tells of all others, and not of itself."""


@pytest.fixture(scope="module")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> InProcess:
    """One for all: what a role may not do changes nothing, and what it may do finds nothing."""
    file = tmp_path_factory.mktemp("authorisation") / "graftwork.db"
    shutil.copy(sqlite_template, file)
    return InProcess(open_database(f"sqlite:///{file}"))


def known() -> dict[str, Operation]:
    return {str(operation): operation for operation in (OPENAPI, *all_operations())}


def unlisted(app: FastAPI) -> set[str]:
    return routes(app) ^ set(MAY)


def test_every_route_is_in_the_table_and_every_entry_is_a_route() -> None:
    assert unlisted(an_app()) == set()
    assert set(known()) == set(MAY)


@pytest.mark.parametrize("told", [True, False], ids=["told by OpenAPI", "hidden"])
def test_a_route_that_is_in_no_table_is_found(told: bool) -> None:
    planted = an_app()
    router = APIRouter(prefix="/v1/planted")
    router.add_api_route("/{name}", lambda: {}, methods=["DELETE"], include_in_schema=told)
    planted.include_router(router)
    assert unlisted(planted) == {"DELETE /v1/planted/{name}"}


def test_a_door_of_another_kind_is_found() -> None:
    planted = an_app()
    planted.mount("/files", FastAPI())
    with pytest.raises(AssertionError, match="/files"):
        unlisted(planted)


@pytest.mark.parametrize("role", [None, *ROLES])
@pytest.mark.parametrize("name", sorted(MAY))
def test_a_route_answers_the_roles_of_the_table_and_no_other(site: InProcess, name: str, role: Role | None) -> None:
    operation = known()[name]
    body: dict[str, Any] = {"json": {}} if operation.changes else {}
    answer = site.client(role).request(operation.method, operation.url, **body)
    if MAY[name] == PUBLIC:
        expected = {200}
    elif role is None:
        expected = {401}
    elif role in MAY[name].split():
        expected = {200, 204, 404, 422}
    else:
        expected = {403}
    assert answer.status_code in expected, answer.text
    if expected & {401, 403}:
        assert answer.headers["content-type"] == "application/problem+json"
