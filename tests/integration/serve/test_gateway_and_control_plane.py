"""The real gateway against the real control plane: first release, canary, feedback, harm and rollback."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from controlplane.store.database import Database
from schemas.artifacts import ArtifactRef
from tests.support.answers import ok
from tests.support.builders.models import graph_ref
from tests.support.http_server import serving
from tests.support.scripted_engine import ScriptedEngine
from tests.support.waiting import wait_for
from tests.support.worlds.in_process import InProcess
from workers.serve.app import create_app
from workers.serve.engines.by_task import by_task
from workers.serve.files import GatewayFiles
from workers.serve.settings import GatewaySettings


class PlantedArtifacts:
    """Every artifact is a script: `favours` the first label unless a version was given another one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.scripts: dict[str, dict[str, str | int]] = {}

    def plant(self, version: UUID, **script: str | int) -> None:
        self.scripts[graph_ref(version).adapter.digest] = {"favours": 0, **script}

    def fetch(self, ref: ArtifactRef) -> Path:
        path = self._folder / ref.digest.removeprefix("sha256:")
        path.write_text(json.dumps(self.scripts.get(ref.digest, {"favours": 0})))
        return path


@contextmanager
def running_gateway(site: InProcess, artifacts: PlantedArtifacts, home: Path) -> Iterator[httpx.Client]:
    token = site.tokens["gateway"]
    files = GatewayFiles(home, "reviews", "gateway-1")
    with serving(site.app) as api_url:
        settings = GatewaySettings.model_validate(
            {"deployment": "reviews", "name": "gateway-1", "host": "127.0.0.1", "port": 0, "home": home}
            | {"api_url": api_url, "token": token}
        )
        app = create_app(settings, by_task(artifacts, ScriptedEngine), files)
        with serving(app) as url, httpx.Client(base_url=url, timeout=30) as client:
            yield client
    files.close()


def turning(site: InProcess, condition: Callable[[], Any]) -> Callable[[], Any]:
    """The reconciler's duty between two looks."""

    def look() -> Any:
        site.turn()
        return condition()

    return look


def predict(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/predict", json={"text": "a film"})


@pytest.fixture
def site(database: Database) -> InProcess:
    site = InProcess(database)
    site.deploy()
    return site


def test_a_first_release_is_proven_by_the_gateway_and_then_served(site: InProcess, tmp_path: Path) -> None:
    with running_gateway(site, PlantedArtifacts(tmp_path), tmp_path / "home") as client:
        wait_for(lambda: ok(site.client("viewer").get("/v1/deployments/reviews/gateways")), "the gateway is known")
        version = site.version()
        rollout = site.release(version)
        wait_for(turning(site, lambda: site.rollout(rollout["id"])["phase"] == "Promoted"), "released")
        wait_for(lambda: client.get("/readyz").status_code == 200, "served")
        assert site.moves()[0]["verified"] is True
        assert predict(client).json()["model_version"] == str(version)


def test_a_canary_that_fails_gets_its_weight_and_is_rolled_back(site: InProcess, tmp_path: Path) -> None:
    artifacts = PlantedArtifacts(tmp_path)
    site.first_champion()
    with running_gateway(site, artifacts, tmp_path / "home") as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        bad = site.version()
        artifacts.plant(bad, fault="raise")
        rollout = site.release(bad)
        variants: set[str] = set()

        def over() -> bool:
            variants.update(predict(client).headers["x-variant"] for _ in range(20))
            return site.rollout(rollout["id"])["phase"] not in ("Pending", "Verifying", "Progressing")

        wait_for(turning(site, over), "the rollout is over", seconds=90)
        assert variants == {"stable", "canary"}
        assert site.rollout(rollout["id"])["phase"] == "RolledBack", site.rollout(rollout["id"])
        wait_for(lambda: {predict(client).headers["x-variant"] for _ in range(20)} == {"stable"}, "all stable")


def test_a_label_for_an_answer_under_a_canary_is_counted(site: InProcess, tmp_path: Path) -> None:
    site.deploy(canary={"steps": [0.5], "metrics": [{"name": "error"}, {"name": "wrong", "margin": 0.05}]})
    site.first_champion()
    with running_gateway(site, PlantedArtifacts(tmp_path), tmp_path / "home") as client:
        wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
        site.release(site.version())
        wait_for(turning(site, lambda: predict(client).headers["x-variant"] == "canary"), "canary traffic", seconds=60)
        prediction = predict(client).json()["predictions"][0]["prediction_id"]
        labeller = site.client("feedback")
        body = {"prediction_id": prediction, "label": "positive"}
        assert ok(labeller.post("/v1/feedback", json=body)) == {"counted": True}
        forged = {**body, "prediction_id": prediction[:-4] + "AAAA"}
        assert labeller.post("/v1/feedback", json=forged).status_code == 422
