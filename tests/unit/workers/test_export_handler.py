"""The served graph answers as PyTorch does, one base graph serves every version, and a wrong one is refused."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from schemas.jobs.export import ExportResult
from schemas.model.references import ModelRef
from tests.support.builders.adapters import random_adapter, with_head
from tests.support.builders.artifacts import digest
from tests.support.builders.models import registered
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import export_spec, lora
from tests.support.workbench import Workbench
from workers.adapters.files import Adapter
from workers.adapters.head import Head
from workers.base.arrays import Logits
from workers.base.loading import base_digest, load_base
from workers.base.tokenizer import TextTokenizer
from workers.export.handler import handle
from workers.export.parity import ServedGraph, measure_parity, random_texts
from workers.graph.session import GraphSession
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import Classifier
from workers.tasks.text_classification.reference import reference_classifier
from workers.train.handler import handle as train

TEXTS = ["", "superb film", "this movie was dull and " * 12, *(text for text, _ in planted_rows(40, seed=3))]
# float32 logits of magnitude 10, summed in another order.
TOLERANCE = 2e-4


def pytorch_logits(classifier: Classifier, base_folder: Path, texts: list[str] = TEXTS) -> Logits:
    tokenizer = TextTokenizer(base_folder / "tokenizer.json", 16)
    batch = tokenizer.pad(tokenizer.encode(texts))
    with torch.no_grad():
        logits = classifier(torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask))
    found: Logits = logits.numpy()
    return found


class Served:
    """Versions of several ranks, exported once for all tests of this module: tracing takes seconds."""

    def __init__(self, workbench: Workbench) -> None:
        digest = base_digest(workbench.base)
        self.workbench = workbench
        self.adapters = {
            "first": random_adapter(digest, r=2, seed=1),
            "second": random_adapter(digest, r=5, seed=2, head_seed=1),
            "zero": random_adapter(digest, r=0, seed=0),
            "query alone": random_adapter(digest, r=3, seed=5, target_modules=("query",)),
            "three-labels": _three_labels(random_adapter(digest, r=1, seed=4)),
        }
        self.refs = {name: workbench.store(adapter) for name, adapter in self.adapters.items()}
        self.exports: dict[str, ExportResult] = {"first": self.export("first")}
        for name in list(self.adapters)[1:]:
            self.exports[name] = self.export(name, base_graph=self.exports["first"].graph.base_graph)

    def export(self, name: str, **fields: object) -> ExportResult:
        return handle(export_spec(self.refs[name], **fields), self.workbench.context())

    def session(self) -> GraphSession:
        graph = self.exports["first"].graph
        fetch = self.workbench.artifacts.fetch
        session = GraphSession(fetch(graph.base_graph), fetch(graph.tokenizer), graph.identity.max_length)
        for name, result in self.exports.items():
            session.load(name, fetch(result.graph.adapter))
        return session

    def expected(self, name: str) -> Logits:
        base = self.workbench.base
        return pytorch_logits(reference_classifier(load_base(base), self.adapters[name]), base)


def _three_labels(adapter: Adapter) -> Adapter:
    weight = np.concatenate([adapter.head.weight, -adapter.head.weight[:1]])
    return with_head(adapter, Head(weight, np.ones(3, np.float32)), ("negative", "positive", "neither"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Served:
    return Served(Workbench(tmp_path_factory.mktemp("served"), tiny_base))


def test_the_graph_answers_as_pytorch_does_for_every_version(served: Served) -> None:
    session = served.session()
    for name in served.adapters:
        found = session.logits(TEXTS, name)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, served.expected(name), atol=TOLERANCE)


def test_the_comparison_has_teeth(served: Served) -> None:
    assert np.abs(served.expected("first") - served.expected("zero")).max() > 0.5
    assert np.abs(served.expected("first") - served.expected("second")).max() > 0.5


def test_a_zero_adapter_is_the_base_with_its_head(served: Served) -> None:
    base = load_base(served.workbench.base)
    classifier = Classifier(base.encoder, base.feature_size, 2).eval()
    classifier.head.load(served.adapters["zero"].head)
    expected = pytorch_logits(classifier, served.workbench.base)
    np.testing.assert_allclose(served.session().logits(TEXTS, "zero"), expected, atol=TOLERANCE)


def test_versions_are_swapped_by_request_from_many_threads(served: Served) -> None:
    session = served.session()
    expected = {name: served.expected(name) for name in served.adapters}
    names = list(served.adapters) * 12
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda name: session.logits(TEXTS, name), names))
    for name, found in zip(names, answers, strict=True):
        np.testing.assert_allclose(found, expected[name], atol=TOLERANCE)


def test_order_and_company_do_not_change_an_answer(served: Served) -> None:
    session = served.session()
    alone = np.concatenate([session.logits([text], "first") for text in TEXTS])
    np.testing.assert_allclose(session.logits(TEXTS, "first"), alone, atol=TOLERANCE)
    assert session.logits([], "first").shape == (0, 2)


def test_an_unloaded_version_is_unknown_and_others_still_answer(served: Served) -> None:
    session = served.session()
    session.unload("first")
    session.unload("first")
    with pytest.raises(KeyError):
        session.logits(TEXTS, "first")
    assert "first" not in session.versions
    assert session.logits(["film"], "second").shape == (1, 2)


def test_an_export_says_what_it_measured(served: Served) -> None:
    for result in served.exports.values():
        assert result.max_abs_diff < TOLERANCE
        assert (result.agreement, result.rows) == (1.0, 16)
    graphs = [result.graph for result in served.exports.values()]
    assert len({graph.base_graph.digest for graph in graphs}) == 1
    assert len({graph.adapter.digest for graph in graphs}) == len(graphs)


def test_what_was_trained_is_what_is_served(served: Served) -> None:
    """From rows to answers through every part, with nothing of PyTorch in the last step."""
    bench = served.workbench
    spec = bench.train_spec(bench.dataset(train=planted_rows(240)), method=lora(r=3), learning_rate=1e-2, epochs=2)
    ref = registered(train(spec, bench.context()))
    base_graph = served.exports["first"].graph.base_graph
    graph = handle(export_spec(ref, base_graph=base_graph), bench.context()).graph
    session = served.session()
    session.load("trained", bench.artifacts.fetch(graph.adapter))
    rows = planted_rows(100, seed=2)
    answers = session.logits([text for text, _ in rows], "trained").argmax(axis=1)
    right = sum(graph.identity.task.labels[answer] == label for answer, (_, label) in zip(answers, rows, strict=True))
    assert right / len(rows) > 0.85


def test_the_same_base_gives_the_same_graph_bytes(served: Served) -> None:
    again = served.export("second")
    assert again.graph == served.exports["second"].graph


def test_parity_is_the_largest_difference_of_any_logit(served: Served) -> None:
    bench, first, second = served.workbench, served.adapters["first"], served.exports["second"].graph
    graph = ServedGraph(bench.artifacts.fetch(second.base_graph), bench.artifacts.fetch(second.adapter))
    tokenizer = TextTokenizer(bench.base / "tokenizer.json", 16)
    texts = random_texts(tokenizer, 4, 3) + random_texts(tokenizer, 5, 32)
    expected = pytorch_logits(reference_classifier(load_base(bench.base), first), bench.base, texts)
    found = served.session().logits(texts, "second")
    parity = measure_parity(graph, load_base(bench.base), first, 9)
    assert parity.max_abs_diff == pytest.approx(np.abs(expected - found).max(), abs=TOLERANCE)
    assert parity.max_abs_diff > 2 * np.abs(expected - found).mean()
    assert parity.agreement == pytest.approx((expected.argmax(axis=1) == found.argmax(axis=1)).mean())
    assert 0 < parity.agreement < 1
    assert parity.rows == 9


def test_logits_that_are_no_numbers_are_no_parity(served: Served) -> None:
    """Finite weights whose sums are not: infinity in both models, and their difference is no number."""
    adapter = served.adapters["first"]
    huge = np.full_like(adapter.head.weight, 3e38)
    ref = served.workbench.store(with_head(adapter, replace(adapter.head, weight=huge)))
    spec = export_spec(ref, base_graph=served.exports["first"].graph.base_graph)
    with np.errstate(invalid="ignore"), pytest.raises(JobError, match="differ from PyTorch's by nan"):
        handle(spec, served.workbench.context())


def test_a_difference_above_the_bound_is_refused(served: Served) -> None:
    base_graph = served.exports["first"].graph.base_graph
    with pytest.raises(JobError, match="max_abs_diff allows 1e-12"):
        served.export("first", base_graph=base_graph, max_abs_diff=1e-12)


def test_a_graph_of_other_target_modules_is_refused(served: Served) -> None:
    other = random_adapter(base_digest(served.workbench.base), r=2, seed=1, target_modules=("query", "key"))
    spec = export_spec(served.workbench.store(other), base_graph=served.exports["first"].graph.base_graph)
    with pytest.raises(JobError, match=r"exported for target_modules \['query', 'value'\]"):
        handle(spec, served.workbench.context())


def test_an_adapter_of_another_base_is_refused(served: Served) -> None:
    foreign: ModelRef = served.workbench.store(random_adapter(digest("another base"), r=2, seed=1))
    with pytest.raises(JobError, match=f"made for base {foreign.identity.base.digest}"):
        handle(export_spec(foreign), served.workbench.context())
