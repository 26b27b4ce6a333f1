"""Dense and virtual-token changes: learnt, filed, exported and served as PyTorch and PEFT compute them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PromptTuningConfig, TaskType, get_peft_model
from pydantic import ValidationError
from torch import nn

from schemas.claims import Checkpoint
from schemas.jobs.export import ExportResult
from schemas.jobs.train import TrainResult
from schemas.model.forms import Dense, VirtualTokens
from schemas.model.methods import PromptTuning
from tests.support.builders.adapters import random_adapter
from tests.support.builders.artifacts import digest
from tests.support.builders.models import model_ref, registered, varied
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import FULL, HEAD, export_spec, frozen_head, merge_spec, prompt
from tests.support.workbench import Workbench
from tests.unit.workers.test_export_handler import TEXTS, TOLERANCE, pytorch_logits
from tests.unit.workers.test_train_handler import accuracy
from workers.adapters.files import Adapter, read_adapter, write_adapter
from workers.adapters.forms.dense.change import DenseChange
from workers.adapters.forms.virtual_tokens.change import VirtualTokensChange
from workers.adapters.methods import prompt as prompt_method
from workers.adapters.reference import check_fits
from workers.base.loading import base_digest, load_base
from workers.export.handler import handle as export
from workers.graph.session import GraphSession
from workers.runtime.context import Report
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import Classifier
from workers.tasks.text_classification.reference import reference_classifier
from workers.train.handler import handle as train

SETTINGS = {
    "full": {"method": FULL, "learning_rate": 1e-3},
    "prompt": {"method": prompt(), "learning_rate": 3e-2},
}
METHODS = pytest.mark.parametrize("method", sorted(SETTINGS))


def learn(workbench: Workbench, method: str, rows: int = 160, **fields: object) -> TrainResult:
    dataset = workbench.dataset(train=planted_rows(rows), validation=planted_rows(40, seed=1))
    spec = workbench.train_spec(dataset, **SETTINGS[method] | {"batch_size": 8} | fields)
    return train(spec, workbench.context())


def dense(base_folder: Path, seed: int = 1) -> Adapter:
    """Every weight of the tiny base moved, under a head that nobody trained."""
    like = random_adapter(base_digest(base_folder), r=0, seed=0)
    generator = torch.Generator().manual_seed(seed)
    weights = {
        name: (weight + 0.1 * torch.randn(weight.shape, generator=generator)).numpy()
        for name, weight in load_base(base_folder).encoder.named_parameters()
    }
    return Adapter(varied(like.identity, form=Dense()), DenseChange(weights), like.head)


def virtual(base_folder: Path, rows: int = 5, seed: int = 1) -> Adapter:
    like = random_adapter(base_digest(base_folder), r=0, seed=0)
    width = load_base(base_folder).encoder.get_input_embeddings().embedding_dim  # type: ignore[operator,union-attr]
    change = VirtualTokensChange(np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32))
    return Adapter(varied(like.identity, form=VirtualTokens(num_virtual_tokens=rows)), change, like.head)


class Beside:
    """Versions of all forms, exported: those that share a graph, and the one that has its own."""

    def __init__(self, workbench: Workbench) -> None:
        base = workbench.base
        assert base is not None
        self.workbench, self.base = workbench, base
        self.adapters = {
            "lora": random_adapter(base_digest(base), r=2, seed=1),
            "virtual": virtual(base),
            "one row": virtual(base, rows=1, seed=2),
            "dense": dense(base),
        }
        self.exports: dict[str, ExportResult] = {}
        for name, adapter in self.adapters.items():
            shared = self.exports["lora"].graph.base_graph if name not in ("lora", "dense") else None
            self.exports[name] = export(export_spec(workbench.store(adapter), base_graph=shared), workbench.context())

    def session(self, graph: str, *versions: str) -> GraphSession:
        fetch, ref = self.workbench.artifacts.fetch, self.exports[graph].graph
        session = GraphSession(fetch(ref.base_graph), fetch(ref.tokenizer), ref.identity.max_length)
        for name in versions:
            session.load(name, fetch(self.exports[name].graph.adapter))
        return session


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Beside:
    return Beside(Workbench(tmp_path_factory.mktemp("forms"), tiny_base))


def test_every_form_is_answered_as_pytorch_does_in_one_session_or_its_own(beside: Beside) -> None:
    shared = beside.session("lora", "lora", "virtual", "one row")
    own = beside.session("dense", "dense")
    expected = {
        name: pytorch_logits(reference_classifier(load_base(beside.base), adapter), beside.base)
        for name, adapter in beside.adapters.items()
    }
    for _ in range(2):  # a version leaves nothing behind for the next
        for name, session in (("lora", shared), ("virtual", shared), ("one row", shared), ("dense", own)):
            np.testing.assert_allclose(session.logits(TEXTS, name), expected[name], atol=TOLERANCE)
    alone = pytorch_logits(
        reference_classifier(load_base(beside.base), random_adapter(base_digest(beside.base), r=0, seed=0)), beside.base
    )
    for name in ("virtual", "one row", "dense"):  # a form that ignores its change would answer as the head alone
        assert np.abs(expected[name] - alone).max() > 0.3


def test_a_dense_graph_is_its_own_and_the_others_share_one(beside: Beside) -> None:
    graphs = {name: result.graph.base_graph for name, result in beside.exports.items()}
    assert graphs["lora"] == graphs["virtual"] == graphs["one row"] != graphs["dense"]
    for name, graph in (("lora", "dense"), ("virtual", "dense"), ("dense", "lora")):
        spec = export_spec(beside.workbench.store(beside.adapters[name]), base_graph=graphs[graph])
        with pytest.raises(JobError, match="base_graph was exported for"):
            export(spec, beside.workbench.context())


def test_rows_answer_as_pefts_own_forward(tiny_base: Path) -> None:
    adapter = virtual(tiny_base, rows=3)
    assert isinstance(adapter.change, VirtualTokensChange)
    config = PromptTuningConfig(num_virtual_tokens=3, task_type=TaskType.FEATURE_EXTRACTION)
    theirs: nn.Module = get_peft_model(load_base(tiny_base).encoder, config)  # type: ignore[arg-type]
    with torch.no_grad():
        theirs.get_parameter("prompt_encoder.default.embedding.weight").copy_(torch.from_numpy(adapter.change.rows))
    ids, mask = torch.randint(4, 20, (3, 7)), torch.ones(3, 7, dtype=torch.int64)
    mask[1, 4:] = 0
    with torch.no_grad():
        states = theirs.eval()(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        ours = reference_classifier(load_base(tiny_base), adapter).encoder(input_ids=ids, attention_mask=mask)
    assert states[-1].shape[1] == 3 + 7
    for found, expected in zip(ours.hidden_states, states, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_features_are_over_the_texts_own_tokens(tiny_base: Path) -> None:
    """Twenty rows far from any embedding: were they averaged too, two texts would have nearly the same features."""
    adapter = virtual(tiny_base, rows=20)
    classifier = reference_classifier(load_base(tiny_base), adapter)
    ids, mask = torch.randint(4, 20, (2, 7)), torch.ones(2, 7, dtype=torch.int64)
    with torch.no_grad():
        states = classifier.encoder(input_ids=ids, attention_mask=mask).hidden_states
        own = nn.functional.normalize(states[-1][:, 20:].mean(dim=1), dim=-1)
        found = nn.functional.normalize(classifier.features(ids, mask)[:, states[-1].shape[-1] :], dim=-1)
    torch.testing.assert_close(found, own, atol=1e-5, rtol=1e-4)


@METHODS
def test_it_learns_what_was_planted(workbench: Workbench, method: str) -> None:
    result = learn(workbench, method, rows=240, epochs=6)
    assert accuracy(workbench, result, planted_rows(100, seed=2)) > 0.85
    assert result.validation_accuracy is not None
    assert result.validation_accuracy > 0.85
    expected = VirtualTokens(num_virtual_tokens=4) if method == "prompt" else Dense()
    assert (result.identity.method.type, result.identity.form) == (method, expected)


@METHODS
def test_more_than_its_head_is_learnt(workbench: Workbench, method: str) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    head = train(workbench.train_spec(dataset, method=HEAD), workbench.context())
    task = frozen_head(registered(head))
    spec = workbench.train_spec(dataset, task=task, **SETTINGS[method])
    adapter = read_adapter(workbench.artifacts.fetch(train(spec, workbench.context()).adapter))
    if isinstance(adapter.change, DenseChange):
        theirs = dict(load_base(workbench.base).encoder.named_parameters())  # type: ignore[arg-type]
        assert set(adapter.change.weights) == set(theirs)
        moved = [name for name, weight in adapter.change.weights.items() if (weight != theirs[name].numpy()).any()]
        assert len(moved) > len(theirs) / 2
    else:
        torch.manual_seed(spec.seed)
        encoder = load_base(workbench.base).encoder  # type: ignore[arg-type]
        start = prompt_method.change_of(prompt_method.inject(encoder, PromptTuning(num_virtual_tokens=4)))
        assert isinstance(adapter.change, VirtualTokensChange)
        assert np.abs(adapter.change.rows - start.rows).max() > 1e-3


@METHODS
def test_the_same_seed_gives_the_same_adapter(workbench: Workbench, method: str) -> None:
    found = [learn(workbench, method, rows=24, seed=seed).adapter.digest for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]


class Interrupted(Exception):
    pass


@METHODS
def test_an_interrupted_run_ends_as_an_uninterrupted_one(workbench: Workbench, method: str) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    spec = workbench.train_spec(dataset, **SETTINGS[method], batch_size=8, checkpoint_steps=2)
    whole = train(spec, workbench.context())
    found: list[Checkpoint] = []

    def stop(report: Report) -> None:
        if isinstance(report, Checkpoint):
            found.append(report)
            raise Interrupted

    with pytest.raises(Interrupted):
        train(spec, workbench.context(report=stop))
    assert train(spec, workbench.context(checkpoint=found[0])).adapter.digest == whole.adapter.digest


def test_rows_that_do_not_fit_beside_the_text_are_refused(workbench: Workbench, tiny_base: Path) -> None:
    dataset = workbench.dataset(train=planted_rows(8))
    spec = workbench.train_spec(dataset, method=prompt(9), max_length=56)
    with pytest.raises(JobError, match=r"max_length is 56 and num_virtual_tokens 9.*at most 64"):
        train(spec, workbench.context())
    long = virtual(tiny_base, rows=60)
    with pytest.raises(JobError, match=r"max_length is 16 and num_virtual_tokens 60.*at most 64"):
        check_fits(load_base(tiny_base), long)


def test_files_that_do_not_fit_their_form_are_refused(tmp_path: Path, tiny_base: Path) -> None:
    def refusal(adapter: Adapter) -> str:
        write_adapter(adapter, tmp_path / "adapter")
        with pytest.raises(JobError) as refused:
            check_fits(load_base(tiny_base), read_adapter(tmp_path / "adapter"))
        return str(refused.value)

    rows, weights = virtual(tiny_base), dense(tiny_base)
    assert isinstance(rows.change, VirtualTokensChange)
    assert isinstance(weights.change, DenseChange)
    first = next(iter(weights.change.weights))
    lora = random_adapter(base_digest(tiny_base), r=2, seed=1)
    wrong = {
        "expected 4 rows": replace(rows, identity=varied(rows.identity, form=VirtualTokens(num_virtual_tokens=4))),
        "dimensions, this base's": replace(rows, change=VirtualTokensChange(rows.change.rows[:, 1:])),
        "not finite": replace(rows, change=VirtualTokensChange(rows.change.rows * np.float32(np.nan))),
        "lacks tensor virtual_tokens": replace(rows, change=lora.change),
        "holds unknown tensor": replace(weights, change=lora.change),
        "holds no tensor": replace(weights, change=DenseChange({})),
        "which is no weight of this base": replace(weights, change=DenseChange({"another": np.ones(2, np.float32)})),
        f"{first} has shape": replace(weights, change=DenseChange({first: np.ones((1, 2), np.float32)})),
        "numbers that are not": replace(weights, change=DenseChange({first: weights.change.weights[first] * np.inf})),
    }
    for words, adapter in wrong.items():
        assert words in refusal(adapter)


@pytest.mark.parametrize("form", [Dense(), VirtualTokens(num_virtual_tokens=4)])
def test_a_merge_refuses_other_forms_at_the_request(form: Dense | VirtualTokens) -> None:
    other = model_ref(2)
    other = other.model_copy(update={"identity": varied(other.identity, form=form)})
    with pytest.raises(ValidationError, match=rf"sources.1.model_version.*{form.type}.*expected `low_rank`"):
        merge_spec(model_ref(1), other)


@pytest.mark.parametrize("method", [FULL, prompt()], ids=["full", "prompt"])
def test_privacy_refuses_them(workbench: Workbench, method: dict[str, object]) -> None:
    dataset = workbench.dataset(train=planted_rows(8))
    with pytest.raises(ValidationError, match=f"must be `head`, not `{method['type']}`"):
        workbench.train_spec(dataset, method=method, privacy={"epsilon": 8, "delta": 1e-5})


def test_an_adapter_of_another_base_is_refused(tiny_base: Path) -> None:
    foreign = varied(dense(tiny_base).identity, base={"digest": digest("another")})
    with pytest.raises(JobError, match="made for base"):
        check_fits(load_base(tiny_base), replace(dense(tiny_base), identity=foreign))


def test_the_reference_classifier_is_a_classifier_of_the_task(tiny_base: Path) -> None:
    assert isinstance(reference_classifier(load_base(tiny_base), virtual(tiny_base)), Classifier)
