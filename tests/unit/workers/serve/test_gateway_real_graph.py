"""A gateway on the real thing: an exported graph, two versions swapped on one session."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest

from schemas.artifacts import ArtifactRef
from schemas.serving import ServedVersion
from tests.support.builders.adapters import random_adapter
from tests.support.builders.models import LABELS, served_version
from tests.support.builders.specs import export_spec
from tests.support.gateway_control_plane import FakeControlPlane
from tests.support.http_server import serving
from tests.support.scripted_engine import generation_of
from tests.support.waiting import wait_for
from tests.support.workbench import Workbench
from tests.unit.workers.test_forms import dense, virtual
from workers.adapters.files import Adapter
from workers.base.loading import base_digest
from workers.export.handler import handle
from workers.graph.session import GraphSession
from workers.serve.app import create_app
from workers.serve.engines.by_task import by_task
from workers.serve.files import GatewayFiles
from workers.serve.settings import GatewaySettings

TEXTS = ["a superb film", "", "\0 dull \u202e plot 😀", "weak " * 3_000, "it was fine", "ﷺ" * 1_000]
TOLERANCE = 1e-4
"""float32 logits, padded beside longer rows."""


def exported(workbench: Workbench, number: int, adapter: Adapter, base_graph: ArtifactRef | None) -> ServedVersion:
    spec = export_spec(workbench.store(adapter, number), base_graph=base_graph)
    return served_version(number, handle(spec, workbench.context()).graph)


def two_versions(workbench: Workbench) -> list[ServedVersion]:
    """Of one base graph."""
    digest = base_digest(workbench.base)
    first = exported(workbench, 1, random_adapter(digest, r=2, seed=1, head_seed=1), None)
    second = random_adapter(digest, r=2, seed=5, head_seed=5)
    return [first, exported(workbench, 2, second, first.graph.base_graph)]


@dataclass
class Bench:
    client: httpx.Client
    control: FakeControlPlane
    versions: list[ServedVersion]
    opened: list[GraphSession]
    workbench: Workbench

    def expected(self, number: int) -> list[list[float]]:
        """The scores that a session of our own gives, one text at a time: no batch, no gateway."""
        graph, fetch = self.versions[number - 1].graph, self.workbench.artifacts.fetch
        session = GraphSession(fetch(graph.base_graph), fetch(graph.tokenizer), graph.identity.max_length)
        session.load("v", fetch(graph.adapter))
        logits = np.concatenate([session.logits([text], "v") for text in TEXTS]).astype(np.float64)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores: list[list[float]] = (weights / weights.sum(axis=1, keepdims=True)).tolist()
        return scores

    def predicted(self, texts: Sequence[str] = TEXTS) -> tuple[str, list[list[float]]]:
        answer = self.client.post("/v1/predict", json={"texts": list(texts)})
        assert answer.status_code == 200, answer.text
        rows = answer.json()["predictions"]
        return answer.headers["x-model-version"], [[row["scores"][label] for label in LABELS] for row in rows]


@pytest.fixture
def bench(workbench: Workbench, tmp_path: Path) -> Iterator[Bench]:
    versions, opened = two_versions(workbench), list[GraphSession]()
    control = FakeControlPlane(generation_of(1, versions[0]))

    def open_session(base_graph: Path, tokenizer: Path, max_length: int) -> GraphSession:
        opened.append(GraphSession(base_graph, tokenizer, max_length))
        return opened[-1]

    files = GatewayFiles(tmp_path, "reviews", "gateway-1")
    with serving(control.app) as api_url:
        settings = GatewaySettings(
            deployment="reviews", name="gateway-1", host="127.0.0.1", port=0, api_url=api_url, home=tmp_path
        )
        app = create_app(settings, by_task(workbench.artifacts, open_session), files)
        with serving(app) as url, httpx.Client(base_url=url, timeout=30) as client:
            wait_for(lambda: client.get("/readyz").status_code == 200, "ready")
            yield Bench(client, control, versions, opened, workbench)
        control.stopping = True
    files.close()


def test_each_version_answers_as_its_graph_does_on_one_session(bench: Bench) -> None:
    name, first = bench.predicted()
    assert name == "sentiment/1"
    np.testing.assert_allclose(first, bench.expected(1), atol=TOLERANCE)
    bench.control.generation = generation_of(
        2, bench.versions[0], canary=bench.versions[1], weight=1.0, rollout_id=UUID(int=9), salt="s"
    )
    wait_for(lambda: bench.predicted(["fine"])[0] == "sentiment/2", "the canary answers")
    _, second = bench.predicted()
    np.testing.assert_allclose(second, bench.expected(2), atol=TOLERANCE)
    assert not np.allclose(first, second, atol=0.01)
    assert len(bench.opened) == 1
    assert set(bench.opened[0].versions) == {str(version.id) for version in bench.versions}


@pytest.mark.parametrize(("make", "shared"), [(virtual, True), (dense, False)], ids=["virtual_tokens", "dense"])
def test_a_version_of_another_form_is_served_beside_a_low_rank_one(
    bench: Bench, make: Callable[[Path], Adapter], shared: bool
) -> None:
    stable, base = bench.versions[0], bench.workbench.base
    assert base is not None
    canary = exported(bench.workbench, 3, make(base), stable.graph.base_graph if shared else None)
    bench.versions.append(canary)
    bench.control.generation = generation_of(2, stable, canary=canary, weight=1.0, rollout_id=UUID(int=9), salt="s")
    wait_for(lambda: bench.predicted(["fine"])[0] == "sentiment/3", "the canary answers")
    _, drawn = bench.predicted()
    np.testing.assert_allclose(drawn, bench.expected(3), atol=TOLERANCE)
    asked = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [len(TEXTS)], "data": TEXTS}]}
    answer = bench.client.post("/v2/models/sentiment/versions/1/infer", json=asked)
    assert answer.headers["x-model-version"] == "sentiment/1"
    scores = next(output["data"] for output in answer.json()["outputs"] if output["name"] == "scores")
    chosen = np.reshape(scores, (len(TEXTS), len(LABELS)))
    np.testing.assert_allclose(chosen, bench.expected(1), atol=TOLERANCE)
    assert not np.allclose(drawn, chosen, atol=0.01)
    assert len(bench.opened) == (1 if shared else 2)


def test_a_damaged_graph_is_never_served(bench: Bench) -> None:
    other = bench.versions[1]
    store = bench.workbench.artifacts
    damaged = store.put_bytes(b"not an adapter", "application/octet-stream")
    version = other.model_copy(update={"graph": other.graph.model_copy(update={"adapter": damaged})})
    bench.control.generation = generation_of(2, bench.versions[0], probe=UUID(int=4), probe_version=version)
    wait_for(lambda: bench.control.reports and bench.control.reports[-1].probed, "the probe's answer")
    [answer] = bench.control.reports[-1].probed
    assert not answer.ok
    assert answer.detail
    assert bench.predicted(["fine"])[0] == "sentiment/1"
