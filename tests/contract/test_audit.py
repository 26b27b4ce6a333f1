"""Every route that writes is audited, done and refused, or is in the list of machine traffic: a new one fails here."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from controlplane.api.auditing import AUDITED, MACHINES
from controlplane.commands.spine.dead_letters import Burial, bury
from controlplane.domain.roles import INCLUDES
from controlplane.projections.dead_letters import list_dead_letters
from controlplane.store.database import Database
from controlplane.transport.port import Delivery
from schemas.kafka_binding import KafkaMessage
from schemas.roles import Role
from tests.contract.audited import PIPELINE, WORD, newest
from tests.contract.test_authorisation import MAY, known
from tests.support.answers import ok
from tests.support.builders.specs import CURATE
from tests.support.operations import Operation, an_app
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess

WRITING = sorted(name for name in MAY if not name.startswith(("GET", "HEAD")))
TRIGGER = {"name": "on-rows", "pipeline": "rows", "types": ["com.example.rows"], "sources": ["//example.com"]}
EVENT = {"specversion": "1.0", "id": "1", "source": "//example.com", "type": "com.example.other"}


def test_every_writing_route_is_audited_or_is_machine_traffic() -> None:
    assert {name for name in known() if not name.startswith(("GET", "HEAD"))} == set(WRITING) == {*AUDITED, *MACHINES}
    assert not AUDITED.keys() & MACHINES
    names = [action.name for action in AUDITED.values()]
    assert len(set(names)) == len(names)
    assert an_app().state.site is not None


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.fixture
def api(sqlite_database: Database) -> InProcess:
    return InProcess(sqlite_database)


@pytest.mark.parametrize("name", WRITING)
def test_a_writing_call_without_the_right_is_audited(api: InProcess, name: str) -> None:
    operation: Operation = known()[name]
    role: Role = next(role for role in INCLUDES if role not in MAY[name].split())
    for caller, status in ((role, 403), (None, 401)):
        answer = api.client(caller).request(operation.method, operation.url, json=WORD)
        assert answer.status_code == status
        entry = newest(api)
        assert (entry["outcome"], entry["status"]) == ("refused", status)
        assert (entry["actor"], entry["role"]) == ((caller, caller) if caller else ("unknown", "none"))
        assert entry["action"] == (AUDITED[name].name if name in AUDITED else name)
        assert entry["reason"] == WORD["reason"]
        assert entry["detail"] == answer.json()["detail"]
        assert entry["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("name", sorted(AUDITED))
def test_whatever_an_audited_route_refuses_is_audited(api: InProcess, name: str) -> None:
    """Nothing is there: 404, 409, 412, 422 or 428, whatever the route says first."""
    operation = known()[name]
    body = {"content": '{"reason": "", "revision": NaN, "kind": {"row": "of a stranger"}}'}
    headers = {"content-type": "application/json"}
    answer = api.client("admin").request(operation.method, operation.url, **body, headers=headers)
    if answer.status_code < 300:
        pytest.skip("this one takes anything")
    entry = newest(api)
    assert (entry["action"], entry["outcome"], entry["status"]) == (AUDITED[name].name, "refused", answer.status_code)
    assert (entry["actor"], entry["role"]) == ("admin", "admin")


def test_reading_what_only_some_may_read_is_audited_when_refused_and_other_reads_are_not(api: InProcess) -> None:
    assert api.client("operator").get(f"/v1/dead-letters/{UUID(int=0)}").status_code == 403
    assert newest(api)["action"] == "GET /v1/dead-letters/{letter_id}"
    assert api.client("gateway").get("/v1/audit").status_code == 403
    before = newest(api)
    assert before["action"] == "GET /v1/audit"
    assert api.client(None).get("/v1/jobs").status_code == 401
    assert api.client("viewer").get("/v1/jobs/nonsense").status_code == 422
    assert newest(api) == before


def test_a_refusal_is_found_by_the_whole_id_of_its_subject_however_that_was_written(database: Database) -> None:
    site = InProcess(database)
    site.deploy()
    site.first_champion()
    version = site.version()
    rollout = ok(site.client("operator").post("/v1/rollouts", json={**WORD, **wish(version)}))["id"]
    for written in (rollout, rollout[:4], rollout[:13].upper(), rollout.replace("-", ""), f"{{{rollout}}}"):
        for actor, headers in (("releaser", {}), ("viewer", {}), ("unknown", {"authorization": "Bearer none"})):
            caller = site.client("viewer" if headers else actor)
            caller.post(f"/v1/rollouts/{written}:resume", json=WORD, headers=headers)
            entry = newest(site, subject=f"rollout/{rollout}")
            told = (entry["action"], entry["outcome"], entry["actor"])
            assert told == ("rollout.resume", "refused", actor), written
            assert entry["seq"] == newest(site)["seq"]


def wish(version: UUID | str) -> dict[str, str]:
    return {"deployment": "reviews", "model_version": str(version)}


def test_what_is_done_to_a_thing_by_its_abbreviated_id_has_its_whole_id_and_its_changes(database: Database) -> None:
    site = InProcess(database)
    job = ok(site.client("operator").post("/v1/jobs", json={"kind": "curate", "spec": CURATE}))["id"]
    ok(site.client("operator").post(f"/v1/jobs/{job[:4]}:cancel"))
    entry = newest(site)
    assert (entry["action"], entry["subject"]) == ("job.cancel", f"job/{job}")
    assert entry["changes"]["phase"] == {"before": "Pending", "after": "Cancelled"}


def test_a_refused_start_says_of_which_deployment_and_which_version(database: Database) -> None:
    site = InProcess(database)
    site.deploy()
    version = str(site.version())
    for written in (version, version[:6], "sentiment@latest", "sentiment/1"):
        body = {**WORD, **wish(written), "waive_gates": "in haste"}
        assert site.client("operator").post("/v1/rollouts", json=body).status_code == 403
        entry = newest(site, subject="deployment/reviews", action="rollout.start")
        assert entry["seq"] == newest(site)["seq"]
        assert entry["request"]["model_version"] == written
        assert entry["request"]["model_version_id"] == version


@pytest.mark.parametrize(
    ("method", "path", "body", "subject"),
    [
        ("POST", "/v1/rollouts", {"deployment": "nobody", "model_version": "a@b", **WORD}, "deployment/nobody"),
        ("POST", "/v1/rollouts", {"deployment": {"name": "reviews"}}, "rollout"),
        ("POST", "/v1/rollouts", ["deployment"], "rollout"),
        ("POST", "/v1/rollouts/2be2:promote", WORD, "rollout/2be2"),
        ("POST", "/v1/rollouts/no-such-id:promote", WORD, "rollout/no-such-id"),
        ("POST", "/v1/pipelines/nobody:run", {}, "pipeline/nobody"),
        ("POST", "/v1/tokens", {"id": "chosen", "name": 3}, "token"),
        ("POST", "/v1/jobs/2be2:retry", None, "job/2be2"),
    ],
)
def test_what_cannot_be_found_is_called_as_it_was_asked_for(
    api: InProcess, method: str, path: str, body: Any, subject: str
) -> None:
    assert api.client("admin").request(method, path, json=body).status_code in (404, 422)
    entry = newest(api)
    assert (entry["subject"], "model_version_id" in entry["request"]) == (subject, False)


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [("viewer", "POST", "/v1/jobs/{}:heartbeat"), ("gateway", "GET", "/v1/jobs/{}")],
)
def test_a_refusal_that_has_no_name_of_its_own_says_of_what(
    sqlite_database: Database, role: Role, method: str, path: str
) -> None:
    site = InProcess(sqlite_database)
    job = ok(site.client("operator").post("/v1/jobs", json={"kind": "curate", "spec": CURATE}))["id"]
    assert site.client(role).request(method, path.format(job[:8]), json=WORD).status_code == 403
    assert newest(site)["subject"] == f"job/{job}"


# --- what is done -----------------------------------------------------------------------------------------------------


class Walk:
    """Calls every audited route with success, and looks at the entry of each."""

    def __init__(self, site: InProcess) -> None:
        self.site = site
        self.entries: dict[str, dict[str, Any]] = {}

    def call(self, role: str, route: str, body: Any = None, **names: Any) -> Any:
        method, _, path = route.partition(" ")
        options: dict[str, Any] = {"headers": names.pop("headers", {}), "params": names.pop("params", {})}
        if body is not None:
            options["content"] = json.dumps(body)
            options["headers"] = {"content-type": "application/json", **options["headers"]}
        answer = self.site.client(role).request(method, path.format(**names), **options)
        assert answer.status_code < 300, answer.text
        entry = newest(self.site)
        assert (entry["action"], entry["outcome"]) == (AUDITED[route].name, "done")
        assert (entry["actor"], entry["role"], entry["status"]) == (role, role, answer.status_code)
        assert entry["request_id"] == answer.headers["x-request-id"]
        assert "{" not in entry["subject"]
        assert "/" in entry["subject"]
        self.entries[route] = entry
        return answer.json() if answer.content else None


def walk(site: InProcess) -> dict[str, dict[str, Any]]:
    calls = Walk(site)
    _data(calls)
    _releases(calls)
    return calls.entries


def _data(calls: Walk) -> None:
    token = calls.call("admin", "POST /v1/tokens", {"name": "ci", "role": "viewer"})
    calls.call("admin", "DELETE /v1/tokens/{token_id}", token_id=token["id"])
    job = calls.call("operator", "POST /v1/jobs", {"kind": "curate", "spec": CURATE})
    calls.call("operator", "POST /v1/jobs/{job_id}:cancel", job_id=job["id"])
    calls.call("operator", "POST /v1/jobs/{job_id}:retry", job_id=job["id"])
    calls.call("operator", "PUT /v1/pipelines/{name}", PIPELINE, name="rows")
    run = calls.call("operator", "POST /v1/pipelines/{name}:run", {}, name="rows")
    calls.call("operator", "POST /v1/pipeline-runs/{run_id}:cancel", WORD, run_id=run["id"])
    calls.call("operator", "PUT /v1/triggers/{name}", TRIGGER, name="on-rows")
    calls.call("operator", "DELETE /v1/triggers/{name}", name="on-rows")
    cloudevents = {"content-type": "application/cloudevents+json"}
    calls.call("operator", "POST /v1/events", EVENT, headers=cloudevents)
    for verb in ("replay", "discard"):
        letter = _letter(calls.site.database)
        calls.call("operator", f"POST /v1/dead-letters/{{letter_id}}:{verb}", letter_id=letter)


def _releases(calls: Walk) -> None:
    site = calls.site
    version = site.version()
    names = {"name": "sentiment", "alias": "nightly"}
    move = calls.call(
        "releaser", "PUT /v1/models/{name}/aliases/{alias}", {**WORD, "model_version": str(version)}, **names,
        headers={"if-none-match": "*"},
    )  # fmt: skip
    calls.call(
        "releaser", "DELETE /v1/models/{name}/aliases/{alias}", params=WORD, headers={"if-match": f'"{move["id"]}"'},
        **names,
    )  # fmt: skip
    calls.call("releaser", "PUT /v1/deployments/{name}", {"model": "sentiment"}, name="reviews")
    site.deploy()
    site.first_champion()
    gateway = Gateway(site)
    for verb, role in (("abort", "operator"), ("promote", "releaser")):
        body = {**WORD, "deployment": "reviews", "model_version": str(site.version())}
        rollout = calls.call("operator", "POST /v1/rollouts", body)["id"]
        gateway.report()
        site.turn()
        for word in ("pause", "resume"):
            calls.call("operator", f"POST /v1/rollouts/{{rollout_id}}:{word}", WORD, rollout_id=rollout)
        held: dict[str, dict[str, str]] = {
            "rollouts/{rollout_id}": {"rollout_id": rollout},
            "deployments/{name}": {"name": "reviews"},
        }
        for what, names in held.items():
            calls.call("auditor", f"POST /v1/{what}:hold", WORD, **names)
            calls.call("admin", f"POST /v1/{what}:release-hold", WORD, **names)
        calls.call(role, f"POST /v1/rollouts/{{rollout_id}}:{verb}", WORD, rollout_id=rollout)
    calls.call("releaser", "POST /v1/deployments/{name}:rollback", {**WORD, "force": True}, name="reviews")
    calls.call("releaser", "POST /v1/deployments/{name}:resume", name="reviews")


def _letter(database: Database) -> UUID:
    offset = uuid4().int % 10**9
    with database.begin("test") as uow:
        bury(uow, Delivery("graftwork.inbound", 0, offset, KafkaMessage(None, b"secret row", ())), Burial("me", "bad"))
    with database.read() as session:
        return list_dead_letters(session, status="Open", limit=1)[0].id


def test_every_audited_route_has_an_entry_of_what_it_changed_and_why(database: Database) -> None:
    entries = walk(InProcess(database))
    assert set(entries) == set(AUDITED)
    changes = {entry["action"]: entry["changes"] for entry in entries.values()}
    assert changes["token.create"]["role"] == {"before": None, "after": "viewer"}
    assert changes["token.revoke"]["revoked_at"]["after"] is not None
    assert changes["job.cancel"]["phase"] == {"before": "Pending", "after": "Cancelled"}
    assert changes["job.retry"]["phase"] == {"before": None, "after": "Pending"}
    assert changes["rollout.pause"]["phase"] == {"before": "Progressing", "after": "Paused"}
    for subject in ("rollout", "deployment"):
        placed, released = changes[f"{subject}.hold"], changes[f"{subject}.release-hold"]
        (hold,) = [field for field in placed if field.startswith("holds.")]
        assert placed[hold] == {"before": None, "after": "auditor"}
        assert released[hold] == {"before": "auditor", "after": None}
    assert changes["rollout.abort"]["phase"]["after"] == "Aborted"
    assert changes["alias.remove"]["model_version_id"]["after"] is None
    assert changes["deployment.rollback"]["frozen"] == {"before": False, "after": True}
    assert changes["dead-letter.discard"]["status"] == {"before": "Open", "after": "Discarded"}
    assert all(change["after"] is None for change in changes["trigger.delete"].values())
    reasons = {entry["action"]: entry["reason"] for entry in entries.values()}
    for action in (
        "rollout.start",
        "rollout.promote",
        "rollout.hold",
        "deployment.release-hold",
        "deployment.rollback",
        "alias.set",
        "alias.remove",
        "run.cancel",
    ):
        assert reasons[action] == WORD["reason"]
    assert "secret row" not in json.dumps(entries)
    assert entries["POST /v1/rollouts"]["request"]["deployment"] == "reviews"
