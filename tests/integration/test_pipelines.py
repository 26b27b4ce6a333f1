"""Pipelines over HTTP: a run goes on as its jobs finish, and ends with its reason."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
import yaml
from sqlalchemy import text
from sqlmodel import Session, col, select

from controlplane.client.connection import ApiError
from controlplane.commands.automation.pipelines import job_finished
from controlplane.commands.jobs.lifecycle import lock_job
from controlplane.commands.serving.generations import lock_deployment
from controlplane.store.database import Database
from controlplane.store.tables import PipelineRunRow
from tests.support.answers import ok
from tests.support.builders.artifacts import artifact
from tests.support.facts import apart
from tests.support.scripted_worker import Worker
from tests.support.waiting import wait_for
from tests.support.worlds.in_process import InProcess

PIPELINE = """
description: rows to a version
params:
  source: file:///rows.csv
  rows: 500
stages:
  curate:
    kind: curate
    spec:
      dataset: reviews
      sources: [{uri: "${params.source}"}]
      operators: [{op: sample, limit: "${params.rows}"}, {op: split}]
  train:
    kind: train
    needs: [curate]
    max_attempts: 1
    spec:
      model: sentiment
      base_model: file:///base
      dataset: ${stages.curate.dataset}
  export:
    kind: export
    needs: [train]
    spec: {model_version: "${stages.train.model_version}"}
"""
RELEASE = """
  release:
    kind: release
    needs: [export]
    deployment: reviews
    model_version: ${stages.export.model_version}
"""


@pytest.fixture
def site(database: Database) -> InProcess:
    return InProcess(database)


def put(site: InProcess, text: str = PIPELINE, name: str = "nightly") -> Any:
    headers = {"content-type": "application/yaml"}
    return site.client("operator").put(f"/v1/pipelines/{name}", content=text.encode(), headers=headers)


def start(site: InProcess, **params: Any) -> dict[str, Any]:
    return ok(site.client("operator").post("/v1/pipelines/nightly:run", json={"params": params}))  # type: ignore[no-any-return]


def read(site: InProcess, run: dict[str, Any]) -> dict[str, Any]:
    return ok(site.client("viewer").get(f"/v1/pipeline-runs/{run['id']}"))  # type: ignore[no-any-return]


def phases(run: dict[str, Any]) -> dict[str, str]:
    return {name: stage["phase"] for name, stage in run["stages"].items()}


def facts(site: InProcess, prefix: str = "") -> list[dict[str, Any]]:
    """But for those of the audit log, which tell who asked and not what came of it."""
    items = ok(site.client("viewer").get("/v1/events", params={"after": 0, "limit": 1000}))["items"]
    return [item for item in apart(items)[0] if item["type"].startswith(f"dev.graftwork.{prefix}")]


def test_yaml_and_json_are_one_pipeline_and_the_same_again_is_no_new_revision(site: InProcess) -> None:
    assert ok(put(site))["revision"] == 1
    document = yaml.safe_load(PIPELINE)
    assert ok(site.client("operator").put("/v1/pipelines/nightly", json=document))["revision"] == 1
    document["description"] = "other"
    assert ok(site.client("operator").put("/v1/pipelines/nightly", json=document))["revision"] == 2
    listed = ok(site.client("viewer").get("/v1/pipelines"))["items"]
    assert [(p["name"], p["revision"]) for p in listed] == [("nightly", 2)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("kind: train", "kind: trian"), "stages.train"),
        (("needs: [curate]", "needs: [currate]"), "needs ['currate'], which the pipeline does not have"),
        (("needs: [curate]", "needs: [export]"), "stages form a cycle"),
        (("${params.rows}", "${params.row}"), "${params.row}, which the pipeline does not declare"),
        (("${stages.train.model_version}", "${stages.curate.dataset}"), "does not name that stage in `needs`"),
        (("model: sentiment", "modell: sentiment"), "stages.train.spec.modell"),
        (
            ('.model_version}"}', '.model_version}", precision: int5}'),
            "stages.export.spec.precision: expected 'fp32' or 'int4', got 'int5'",
        ),
        (("max_attempts: 1", "max_attempts: 0"), "stages.train.max_attempts: expected at least 1, got '0'"),
        (("stages:", "stages: ["), "line"),
        (("description:", "params: {}\ndescription:"), "'params' is written twice"),
    ],
)
def test_a_bad_pipeline_is_refused_with_the_path(site: InProcess, change: tuple[str, str], said: str) -> None:
    answer = put(site, PIPELINE.replace(*change))
    assert answer.status_code == 422
    assert said in answer.json()["detail"], answer.text
    assert site.client("viewer").get("/v1/pipelines/nightly").status_code == 404


def test_what_is_wrong_in_a_pipeline_is_told_once_with_its_place_and_value(site: InProcess) -> None:
    problem = put(site, PIPELINE.replace("kind: curate\n", "kind: curate\n    colour: red\n", 1)).json()
    fault = {"field": "stages.curate.colour", "expected": "expected no field of this name", "value": "red"}
    assert problem["errors"] == [fault]
    assert problem["detail"] == "stages.curate.colour: expected no field of this name, got 'red'"
    error = ApiError(422, "invalid", problem["title"], problem["detail"], problem["field"])
    assert str(error).count("stages.curate.colour") == 1


def test_a_run_goes_stage_by_stage_to_its_end(site: InProcess) -> None:
    put(site)
    run = start(site, rows=20)
    worker = Worker(site)
    assert phases(run) == {"curate": "Running", "train": "Waiting", "export": "Waiting"}
    claim = worker.claim("curate")
    assert claim["spec"]["operators"][0]["limit"] == 20
    assert worker.idle("train", "export")
    worker.curate(claim=claim)
    claim = worker.claim("train")
    dataset = read(site, run)["stages"]["curate"]["outputs"]["dataset"]
    assert claim["spec"]["dataset"]["id"] == dataset
    worker.train(claim=claim)
    version = read(site, run)["stages"]["train"]["outputs"]["model_version"]
    claim = worker.claim("export")
    assert claim["spec"]["model_version"]["id"] == version
    worker.fail(claim, "no disk")
    run = read(site, run)
    assert phases(run) == {"curate": "Succeeded", "train": "Succeeded", "export": "Failed"}
    assert (run["phase"], run["reason"]) == ("Failed", "stage 'export' failed: no disk")
    assert run["finished_at"] is not None
    detail = ok(site.client("viewer").get(f"/v1/model-versions/{version}"))
    assert [d["id"] for d in detail["lineage"]["dataset_versions"]] == [dataset]


def test_each_fact_of_a_run_names_its_cause(site: InProcess) -> None:
    put(site)
    run = start(site)
    Worker(site).curate()
    events = {event["id"]: event for event in facts(site)}
    started = next(e for e in events.values() if e["type"].endswith("run_started.v1"))
    requested = [e for e in events.values() if e["type"].endswith("job.requested.v1")]
    assert [e["causationid"] for e in requested] == [started["id"], started["id"]]
    assert {e["correlationid"] for e in events.values()} == {run["correlationid"]}
    created = next(e for e in events.values() if e["type"].endswith("dataset.version_created.v1"))
    chain = []
    while created["causationid"]:
        created = events[created["causationid"]]
        chain.append(created["type"].split(".", 2)[2])
    assert chain == ["job.succeeded.v1", "job.started.v1", "job.requested.v1", "pipeline.run_started.v1"]


def test_later_jobs_are_asked_for_by_whoever_started_the_run(site: InProcess) -> None:
    put(site)
    start(site)
    Worker(site).curate()
    jobs = ok(site.client("viewer").get("/v1/jobs"))["items"]
    assert {job["actor"] for job in jobs} == {"operator"}


def test_a_run_goes_on_by_the_spec_that_it_began_with(site: InProcess) -> None:
    put(site)
    run = start(site)
    put(site, PIPELINE.replace("model: sentiment", "model: other"))
    Worker(site).curate()
    assert Worker(site).claim("train")["spec"]["model"] == "sentiment"
    assert read(site, run)["phase"] == "Running"


def test_hearing_of_a_finished_job_again_changes_nothing(site: InProcess, database: Database) -> None:
    put(site)
    run = start(site)
    claim = Worker(site).curate()
    before, seen = read(site, run), len(facts(site))
    for _ in range(3):
        with database.begin("test") as uow:
            job_finished(uow, lock_job(uow, UUID(claim["job_id"])))
    assert read(site, run) == before
    assert len(facts(site)) == seen


def test_a_param_that_the_pipeline_does_not_declare_is_refused(site: InProcess) -> None:
    put(site)
    answer = site.client("operator").post("/v1/pipelines/nightly:run", json={"params": {"epochs": 2}})
    assert answer.status_code == 422
    assert "has no param 'epochs'; it has: rows, source" in answer.json()["detail"]
    assert site.client("operator").post("/v1/pipelines/nobody:run", json={}).status_code == 404
    assert site.client("viewer").post("/v1/pipelines/nightly:run", json={}).status_code == 403


def test_a_spec_that_turns_out_wrong_fails_the_run_and_not_the_job_before_it(site: InProcess) -> None:
    put(site, PIPELINE.replace("base_model: file:///base", "base_model: ftp://x"))
    run = start(site)
    claim = Worker(site).curate()
    run = read(site, run)
    assert run["phase"] == "Failed"
    assert run["reason"].count("spec.base_model: ") == 1, run["reason"]
    assert phases(run) == {"curate": "Succeeded", "train": "Failed", "export": "Skipped"}
    job = ok(site.client("viewer").get(f"/v1/jobs/{claim['job_id']}"))
    assert job["phase"] == "Succeeded"


def test_a_cancelled_run_cancels_its_jobs_and_ends_when_they_have(site: InProcess) -> None:
    put(site)
    pending, running = start(site), None
    body = {"reason": "wrong rows"}
    operator = site.client("operator")
    ended = ok(operator.post(f"/v1/pipeline-runs/{pending['id']}:cancel", json=body))
    assert (ended["phase"], ended["reason"]) == ("Cancelled", "cancelled by operator: wrong rows")
    assert operator.post(f"/v1/pipeline-runs/{pending['id']}:cancel", json=body).status_code == 409
    running = start(site)
    worker = Worker(site)
    claim = worker.claim("curate")
    assert ok(operator.post(f"/v1/pipeline-runs/{running['id']}:cancel", json=body))["phase"] == "Running"
    worker.fail(claim, "told to stop")
    assert read(site, running)["phase"] == "Cancelled"
    assert worker.idle("curate", "train", "export")
    finished = [f["data"]["phase"] for f in facts(site, "pipeline.run_finished")]
    assert finished == ["Cancelled", "Cancelled"]


def test_a_release_stage_starts_a_rollout_and_ends_with_it(site: InProcess) -> None:
    site.deploy(gates=[])
    put(site, PIPELINE + RELEASE.lstrip("\n"))
    run = start(site)
    Worker(site).curate()
    Worker(site).train()
    Worker(site).export()
    site.turn()
    run = read(site, run)
    rollout = site.rollout(run["stages"]["release"]["rollout_id"])
    assert rollout["phase"] == "Promoted"
    assert (run["phase"], phases(run)["release"]) == ("Succeeded", "Succeeded")
    assert site.alias()["model_version_id"] == run["stages"]["train"]["outputs"]["model_version"]


@pytest.mark.postgres
@pytest.mark.parametrize("named", ["reviews", "${params.where}"])
def test_a_job_that_ends_waits_for_the_deployment_before_it_takes_the_run(
    postgres_database: Database, named: str
) -> None:
    site = InProcess(postgres_database)
    site.deploy(gates=[])
    document = (PIPELINE + RELEASE.lstrip("\n")).replace("deployment: reviews", f"deployment: {named}")
    put(site, document.replace("rows: 500", "rows: 500\n  where: reviews"))
    run = UUID(start(site)["id"])
    worker = Worker(site)
    worker.curate()
    worker.train()
    claim = worker.claim("export")
    with ThreadPoolExecutor(1) as pool:
        with postgres_database.begin("a rollout that ends") as uow:
            lock_deployment(uow, "reviews")
            told = pool.submit(worker.export, claim=claim)
            wait_for(lambda: somebody_waits(uow.session), "the completion waits")
            # what the end of a rollout does next; a deadlock if the completion had taken the run
            mine = select(PipelineRunRow.id).where(col(PipelineRunRow.id) == run)
            uow.session.execute(mine.with_for_update(key_share=True))
        told.result(timeout=60)
    assert phases(read(site, {"id": str(run)}))["release"] in ("Running", "Succeeded")


def somebody_waits(session: Session) -> bool:
    return bool(session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one())


def test_a_rollout_that_its_gates_refuse_at_once_fails_the_run(site: InProcess) -> None:
    site.deploy(gates=[{"gate": "metric", "metric": "accuracy", "dataset": "rows", "min_rows": 20, "minimum": 0.9}])
    put(site, PIPELINE + RELEASE.lstrip("\n"))
    run = start(site)
    Worker(site).curate()
    Worker(site).train()
    Worker(site).export()
    site.turn()
    run = read(site, run)
    assert run["phase"] == "Failed"
    assert run["reason"].startswith("stage 'release' failed: rollout ")


def test_runs_are_listed_newest_first_by_page_and_by_filter(site: InProcess) -> None:
    put(site)
    runs = [start(site)["id"] for _ in range(5)]
    viewer = site.client("viewer")
    viewer_items: list[str] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        page = ok(viewer.get("/v1/pipeline-runs", params={"limit": 2, "pipeline": "nightly", **cursor}))
        viewer_items += [item["id"] for item in page["items"]]
        cursor = {"cursor": page["next"]} if page["next"] else None
    assert viewer_items == runs[::-1]
    assert ok(viewer.get("/v1/pipeline-runs", params={"phase": "Failed"}))["items"] == []


def test_datasets_are_read_by_name_and_version(site: InProcess) -> None:
    put(site)
    worker = Worker(site)
    for name in ("one", "two"):
        start(site)
        worker.curate(name)
    viewer = site.client("viewer")
    (dataset,) = ok(viewer.get("/v1/datasets"))["items"]
    assert dataset == {"name": "reviews", "newest": 2, "versions": 2}
    versions = ok(viewer.get("/v1/datasets/reviews/versions"))["items"]
    assert [v["version"] for v in versions] == [2, 1]
    assert ok(viewer.get("/v1/dataset-versions/reviews@latest")) == versions[0]
    assert ok(viewer.get("/v1/dataset-versions/reviews/1"))["digest"] == artifact("one").digest
    assert viewer.get("/v1/dataset-versions/reviews/3").status_code == 404
    assert viewer.get("/v1/datasets/nobody/versions").status_code == 404
