"""Secrets and persons come in by every door of a whole journey on Kafka and PostgreSQL; every sink is searched."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.store.database import Database
from schemas.artifacts import ArtifactRef
from schemas.data.manifest import DatasetManifest
from schemas.data.operators import Labels, Splits
from schemas.roles import Role
from schemas.topics import DEAD_LETTER, INBOUND
from tests.support import sinks
from tests.support.broker import Broker
from tests.support.builders.bases import build_tiny_base
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import TRAIN, operators
from tests.support.journey import JOB_SECONDS
from tests.support.kcat import Kcat
from tests.support.processes import told_of
from tests.support.waiting import wait_for
from tests.support.worlds.cluster import Cluster
from workers.runtime.artifacts import ArtifactStore

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(900)]

GATEWAY_TOKEN = "gateway-token-planted-0123456789"
WRONG = {"wrong token": "gw_wrong-token-planted-0123456789", "wrong gateway token": "wrong-gateway-token-planted-01"}
ROWS = {
    "person in a row": "jane.doe-planted@example.com",
    "person in a label": "john.roe-planted@example.com",
    "person in a broken row": "+49 170 5550199",
}
ASKED = {
    "person who asked": "mia.poe-planted@example.com",
    "person in a refused question": "+49 170 5550177",
    "person in feedback": "max.coe-planted@example.com",
}
TOLD = {"secret in a broken event": "hunter2-planted-password"}
EVENT = f'{{"specversion": "1.0", "password": "{TOLD["secret in a broken event"]}"'
"""No JSON: it becomes a dead letter."""
ROLES: tuple[Role, ...] = ("worker", "gateway", "feedback")
VERBS = (
    "job list", "job list --json", "model list", "dataset list --json", "deployment get mood", "rollout list --json",
    "dlq list", "token list", "trigger list", "job get no-such-job",
)  # fmt: skip
FOR_AUDITORS = {"dead_letter.value": EVENT}
"""As it came, to be replayed; no list of letters shows it."""


@pytest.fixture(autouse=True)
def places(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a file:// URI may reach, and what the gateways' callers must say."""
    folder = tmp_path_factory.mktemp("given")
    build_tiny_base(folder / "tiny")
    monkeypatch.setenv("GRAFTWORK_FILE_ROOTS", str(folder))
    monkeypatch.setenv("GRAFTWORK_GATEWAY_TOKEN", GATEWAY_TOKEN)
    return folder


def test_what_was_planted_at_every_door_is_in_no_sink(
    places: Path, cluster: Cluster, kafka: Broker, postgres_url: str
) -> None:
    kcat, database = Kcat(kafka.bootstrap_servers), Database(postgres_url)
    workers = [cluster.running[name].pid for name in ("worker-1", "worker-2")]
    with sinks.ProcessWatch(workers) as jobs:
        texts = release(cluster, places)
    assert len([name for name in jobs.told if name.startswith("environ")]) > 2, (
        "of fork servers, and of the processes that jobs ran in"
    )
    told = jobs.told | ask(cluster) | break_in(cluster, kcat)
    told |= {f"graftwork {verb}": cluster.run(*verb.split()) for verb in VERBS}
    with httpx.Client(base_url=cluster.api_url, headers=bearer(cluster.admin_token)) as api:
        told |= sinks.answers(api)
    topics = sinks.topics(kcat)
    for name in (INBOUND, DEAD_LETTER):
        there = topics[f"topic {name}"]
        topics[f"topic {name}"] = sinks.without_value(there, EVENT)
        assert topics[f"topic {name}"] != there, "as its sender wrote it, and nowhere else"
    told |= topics | sinks.tables(database, told=FOR_AUDITORS) | files_besides(texts, cluster.folder)
    tokens = {"admin token": cluster.admin_token, "gateway's callers' token": GATEWAY_TOKEN, **WRONG}
    tokens |= {f"{role} token": cluster.token(role) for role in ROLES}
    for name, process in cluster.running.items():
        told[f"command line of {name}"] = told_of(process.pid, "cmdline")
    database.close()
    assert sinks.found_in(told, {**tokens, **ROWS, **ASKED, **TOLD}) == []


def files_besides(texts: set[str], folder: Path) -> sinks.Sinks:
    """Logs, journals, caches and artifacts; but the artifacts of these digests are there to hold texts."""
    found = sinks.files(folder)
    held = {name for name in found if any(digest.rpartition(":")[2] in name.replace("/", "") for digest in texts)}
    assert len(held) >= len(texts)
    assert any(name.endswith("api.log") for name in found)
    return {name: content for name, content in found.items() if name not in held}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def release(cluster: Cluster, places: Path) -> set[str]:
    """From rows to a version that both gateways serve; the files that are there to hold texts."""
    rows = [{"text": text, "label": label} for text, label in planted_rows(240)]
    rows += [{"text": f"lovely film {ROWS['person in a row']} superb", "label": "positive"}]
    lines = [json.dumps(row) for row in rows]
    lines += [json.dumps({"text": "a film", "label": ROWS["person in a label"]})]
    lines += ['{"text": "call ' + ROWS["person in a broken row"] + '", "label"']
    (places / "rows.jsonl").write_text("\n".join(lines))
    (places / "broken.parquet").write_text(ROWS["person in a broken row"])
    with cluster.client() as client:
        client.put_deployment("mood", {"model": "mood", "policy": {"gates": [{"gate": "parity"}]}})
        cluster.start_gateways("mood")
        failed = client.request_job("curate", curate(places / "broken.parquet"))
        assert client.wait_for_job(failed.id, seconds=JOB_SECONDS).phase == "Failed"
        client.put_pipeline(pipeline(places))
        run = client.wait_for_run(client.run_pipeline("mood").id, seconds=JOB_SECONDS)
        assert run.phase == "Succeeded", run.model_dump_json(indent=1)
        (curated,) = [job.result for job in client.list_jobs(kind="curate") if job.phase == "Succeeded"]
        (audited,) = [job.result for job in client.list_jobs(kind="attack")]
        assert curated is not None
        assert audited is not None
        assert curated["rejected"]["unknown_label"] == 1
        assert sum(curated["rejected"].values()) > 1, "the broken line"
    store = ArtifactStore(cluster.artifacts.as_uri(), cluster.folder / "reader")
    manifest = DatasetManifest.model_validate_json(store.read(ArtifactRef.model_validate(curated["manifest"])))
    return {audited["examples"]["digest"], *(part.artifact.digest for part in manifest.parts)}


def curate(file: Path) -> dict[str, Any]:
    source = {"uri": file.as_uri(), "text": "text", "label": "label"}
    asked = operators(Labels(labels=("negative", "positive")), Splits(validation=40, test=60))
    return {"dataset": "mood", "sources": [source], "operators": asked}


def pipeline(places: Path) -> dict[str, Any]:
    version, dataset = "${stages.train.model_version}", "mood@latest"
    asked = {"model": "mood", "base_model": (places / "tiny").as_uri(), "dataset": dataset}
    train = TRAIN | asked | {"epochs": 2, "max_length": 16}
    judged = {"model_version": version, "dataset": dataset}
    after = ["train", "export"]
    return {
        "name": "mood",
        "stages": {
            "curate": {"kind": "curate", "spec": curate(places / "rows.jsonl")},
            "train": {"kind": "train", "needs": ["curate"], "spec": train},
            "export": {"kind": "export", "needs": ["train"], "spec": {"model_version": version}},
            "attack": {"kind": "attack", "needs": after, "spec": {**judged, "rows": 3, "query_budget": 20}},
            "release": {
                "kind": "release", "needs": [*after, "attack"], "deployment": "mood", "model_version": version,
            },
        },
    }  # fmt: skip


def serves(url: str) -> bool:
    return httpx.post(f"{url}/v1/predict", json={"text": "a film"}, headers=bearer(GATEWAY_TOKEN)).is_success


def ask(cluster: Cluster) -> sinks.Sinks:
    """What users of the gateways are told, in answers and in refusals."""
    person, refused = ASKED["person who asked"], ASKED["person in a refused question"]
    told = {}
    for name, url in cluster.gateways.items():
        wait_for(lambda url=url: serves(url), f"{name} serves", seconds=90)  # type: ignore[misc]
        with httpx.Client(base_url=url, headers=bearer(GATEWAY_TOKEN)) as gateway:
            answered = gateway.post("/v1/predict", json={"text": f"{person} says: superb film"}).raise_for_status()
            bodies: dict[str, bytes] = {
                "no JSON": f'{{"text": "{refused}'.encode(),
                "no text": json.dumps({"texts": refused}).encode(),
                "a lone surrogate": f'{{"text": "{refused} \\ud800"}}'.encode(),
                "no list of texts": json.dumps({"text": [refused, {"text": refused}]}).encode(),
            }
            refusals = {what: gateway.post("/v1/predict", content=body) for what, body in bodies.items()}
            refusals["a wrong token"] = gateway.post(
                "/v1/predict", json={"text": refused}, headers=bearer(WRONG["wrong gateway token"])
            )
            assert {answer.status_code // 100 for answer in refusals.values()} == {4}, refusals
            told |= {f"{name}'s refusal of {what}": answer.text for what, answer in refusals.items()}
            told |= {f"{name}'s answer": answered.text, f"{name}'s metrics": gateway.get("/metrics").text}
            feed_back(cluster, answered.json()["predictions"][0]["prediction_id"])
    return told


def feed_back(cluster: Cluster, prediction_id: str) -> None:
    """A label that is none: the refusal tells the caller his own word, and nobody else."""
    body = {"prediction_id": prediction_id, "label": ASKED["person in feedback"]}
    answer = httpx.post(f"{cluster.api_url}/v1/feedback", json=body, headers=bearer(cluster.token("feedback")))
    assert answer.status_code == 422


def break_in(cluster: Cluster, kcat: Kcat) -> sinks.Sinks:
    """Without a right, and with an event that is none."""
    refused = httpx.get(f"{cluster.api_url}/v1/jobs", headers=bearer(WRONG["wrong token"]))
    assert refused.status_code == 401
    kcat.publish_raw(INBOUND, EVENT)
    with cluster.client() as client:
        wait_for(lambda: list(client.list_dead_letters()), "the event that is none is a dead letter")
    return {"refusal of a wrong token": refused.text}
