"""A gateway on the real thing: an exported graph, two versions swapped on one session."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
import numpy as np
import pytest

from schemas.serving import ServedVersion
from tests.support.builders.adapters import random_adapter
from tests.support.builders.models import LABELS, served_version
from tests.support.builders.specs import export_spec
from tests.support.gateway_control_plane import FakeControlPlane
from tests.support.http_server import serving
from tests.support.scripted_engine import generation_of
from tests.support.waiting import wait_for
from tests.support.workbench import Workbench
from workers.base.loading import base_digest
from workers.export.handler import handle
from workers.graph.session import GraphSession
from workers.serve.app import create_app
from workers.serve.engines.graph.engine import GraphEngine
from workers.serve.engines.graph.sessions import Sessions
from workers.serve.files import GatewayFiles
from workers.serve.settings import GatewaySettings

TEXTS = ["a superb film", "", "\0 dull \u202e plot 😀", "weak " * 3_000, "it was fine", "ﷺ" * 1_000]
TOLERANCE = 1e-4
"""float32 logits, padded beside longer rows."""


def export(workbench: Workbench) -> list[ServedVersion]:
    """Two versions of one base graph."""
    digest = base_digest(workbench.base)
    versions: list[ServedVersion] = []
    for number, seed in ((1, 1), (2, 5)):
        ref = workbench.store(random_adapter(digest, r=2, seed=seed, head_seed=seed), number)
        base_graph = versions[0].graph.base_graph if versions else None
        graph = handle(export_spec(ref, base_graph=base_graph), workbench.context()).graph
        versions.append(served_version(number, graph))
    return versions


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
    versions, opened = export(workbench), list[GraphSession]()
    control = FakeControlPlane(generation_of(1, versions[0]))

    def open_session(base_graph: Path, tokenizer: Path, max_length: int) -> GraphSession:
        opened.append(GraphSession(base_graph, tokenizer, max_length))
        return opened[-1]

    files = GatewayFiles(tmp_path, "reviews", "gateway-1")
    with serving(control.app) as api_url:
        settings = GatewaySettings(
            deployment="reviews", name="gateway-1", host="127.0.0.1", port=0, api_url=api_url, home=tmp_path
        )
        app = create_app(settings, partial(GraphEngine, Sessions(workbench.artifacts, open_session)), files)
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
