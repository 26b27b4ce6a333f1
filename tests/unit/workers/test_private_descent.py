"""A private head against a loop that takes one row at a time by autograd, its budget, and what a run may not tell."""

import itertools
import random

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import cross_entropy

from schemas.jobs.train import Privacy, TrainResult
from tests.support.builders.models import model_ref
from tests.support.builders.rows import Row, planted_rows
from tests.support.builders.specs import HEAD, frozen_head, lora, train_spec
from tests.support.workbench import Workbench
from tests.unit.workers.test_train_dp_head import spent_delta
from workers.adapters.files import read_adapter
from workers.base.loading import load_base
from workers.base.tokenizer import TextTokenizer
from workers.tasks.text_classification.classifier import Classifier
from workers.tasks.text_classification.features import SCALE
from workers.train.dp_head import NOT_CHARGED, default_learning_rate, fit_private_head, label_of, plan_budget
from workers.train.handler import handle


def row_gradient(weights: Tensor, row: Tensor, target: Tensor) -> Tensor:
    """The gradient of one row's logistic loss; with one column, that is the second class against the first."""
    weights = weights.clone().requires_grad_(True)
    scores = row @ weights
    logits = torch.cat([torch.zeros_like(scores), scores]) if len(scores) == 1 else scores
    loss = cross_entropy(logits.unsqueeze(0), target.unsqueeze(0))
    return torch.autograd.grad(loss, weights)[0]


def descend_row_by_row(features: Tensor, targets: Tensor, columns: int, privacy: Privacy, rate: float) -> Tensor:
    weights = torch.zeros(features.shape[1], columns, dtype=torch.float64)
    positions = []
    for _ in range(privacy.steps):
        total = torch.zeros_like(weights)
        for row, target in zip(features.double(), targets, strict=True):
            gradient = row_gradient(weights, row, target)
            total += gradient * min(1.0, privacy.max_grad_norm / float(gradient.norm()))
        weights = weights - rate / privacy.steps / privacy.max_grad_norm * total / len(features)
        positions.append(weights)
    return torch.stack(positions[-20:]).mean(dim=0)


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize(("steps", "clip", "rate"), [(1, 0.5, 3.0), (4, 0.5, 40.0), (23, 0.2, 9.0), (23, 50.0, 900.0)])
def test_without_noise_it_is_clipped_descent_row_by_row(labels: int, steps: int, clip: float, rate: float) -> None:
    """Some rows are clipped, some are not, and which changes from step to step."""
    generator = torch.Generator().manual_seed(labels)
    features = torch.randn(12, 5, generator=generator) * torch.logspace(-1, 1, 12).unsqueeze(1)
    targets = torch.randint(labels, (12,), generator=generator)
    privacy = Privacy(epsilon=8, delta=1e-5, steps=steps, max_grad_norm=clip, learning_rate=rate)
    columns = 1 if labels == 2 else labels
    expected = descend_row_by_row(features, targets, columns, privacy, rate)
    found = fit_private_head(features, targets, labels, privacy, noise_multiplier=0.0)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))


def test_the_learning_rate_is_smaller_where_the_noise_is_larger() -> None:
    rates = {epsilon: default_learning_rate(epsilon) for epsilon in (8, 3, 2.9, 1)}
    assert rates == {8: 10_000.0, 3: 10_000.0, 2.9: 3_000.0, 1: 3_000.0}
    features, targets = torch.eye(4), torch.tensor([0, 1, 0, 1])
    for epsilon, rate in rates.items():
        chosen, given = (
            fit_private_head(features, targets, 2, Privacy(epsilon=epsilon, delta=1e-5, learning_rate=asked), 0.0)
            for asked in (None, rate)
        )
        assert torch.equal(chosen, given)


@pytest.mark.parametrize(("steps", "epsilon", "delta"), [(1, 2.0, 1e-5), (10, 8.0, 1e-3), (160, 3.0, 1e-6)])
def test_the_budget_is_of_the_steps_that_are_taken(steps: int, epsilon: float, delta: float) -> None:
    privacy = Privacy(epsilon=epsilon, delta=delta, steps=steps)
    budget = plan_budget(privacy)
    assert 0.97 * epsilon < budget.epsilon <= epsilon
    assert spent_delta(epsilon, budget.noise_multiplier, steps) <= delta
    assert spent_delta(epsilon, 0.95 * budget.noise_multiplier, steps) > delta
    # What the label says was spent is what these steps cost, not what was asked for.
    assert spent_delta(budget.epsilon, budget.noise_multiplier, steps) == pytest.approx(delta, rel=0.15)
    label = label_of(privacy, budget)
    assert label.model_dump(exclude={"not_charged"}) == {
        "epsilon": budget.epsilon, "delta": delta, "noise_multiplier": budget.noise_multiplier,
        "max_grad_norm": privacy.max_grad_norm, "steps": steps, "sample_rate": 1.0, "accountant": "prv", "unit": "row",
    }  # fmt: skip
    assert label.not_charged == NOT_CHARGED


def test_as_many_steps_are_taken_as_are_paid_for() -> None:
    taken: list[int] = []
    privacy = Privacy(epsilon=8, delta=1e-5, steps=13)
    fit_private_head(torch.ones(4, 3), torch.tensor([0, 1, 0, 1]), 2, privacy, 1.0, taken.append)
    assert taken == list(range(1, 14))


def private(workbench: Workbench, train: list[Row], **fields: object) -> TrainResult:
    dataset = workbench.dataset(train=train, validation=fields.pop("validation", planted_rows(20, seed=1)))  # type: ignore[arg-type]
    privacy = {"epsilon": 8, "delta": 1e-5, "steps": 3}
    return handle(workbench.train_spec(dataset, privacy=privacy, method=HEAD, **fields), workbench.context())


def secret_rows(count: int) -> list[Row]:
    """Other texts, of other lengths, with the labels in other places."""
    generator = random.Random(9)
    rows = [(f"{text} zebra quartz" * generator.randint(1, 3), label) for text, label in planted_rows(count, seed=4)]
    generator.shuffle(rows)
    return rows


@pytest.mark.parametrize("fields", [{}, {"max_rows": 40}], ids=["all", "drawn"])
def test_all_that_a_private_run_tells_is_the_same_for_other_rows(
    workbench: Workbench, fields: dict[str, object]
) -> None:
    """Progress, log, checkpoints and result follow from the number of rows and the labels' names alone."""
    told = []
    for rows, validation in ((planted_rows(70), planted_rows(20)), (secret_rows(70), secret_rows(8))):
        workbench.reports.clear()
        result = private(workbench, rows, validation=validation, **fields)
        said = result.model_dump(exclude={"adapter": True, "identity": {"task": {"head_digest"}}})
        told.append((list(workbench.reports), said, result.adapter.size))
    assert told[0] == told[1]
    assert told[0][0]


def test_private_rows_do_not_centre_the_features(workbench: Workbench) -> None:
    """The bias undoes the centre; without public rows there is none to undo."""
    result = private(workbench, planted_rows(30))
    head = read_adapter(workbench.artifacts.fetch(result.adapter)).head
    assert head.bias.tolist() == [0.0, 0.0]
    assert head.weight.any()


def test_public_rows_centre_the_features(workbench: Workbench) -> None:
    rows = planted_rows(37, seed=6)
    # Of the public dataset the train rows are taken, and the private run's own rows are not.
    public = workbench.dataset(name="public", train=rows, test=secret_rows(5))
    result = private(workbench, secret_rows(30), public_dataset=public)
    head = read_adapter(workbench.artifacts.fetch(result.adapter)).head
    base = load_base(workbench.base)
    batch = TextTokenizer(base.tokenizer_file, result.identity.max_length)
    padded = batch.pad(batch.encode([text for text, _ in rows]))
    classifier = Classifier(base.encoder, base.feature_size, 2).eval()
    with torch.no_grad():
        ids, mask = torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask)
        centre = classifier.features(ids, mask).mean(dim=0)
        expected = -torch.from_numpy(head.weight) @ centre
    torch.testing.assert_close(torch.from_numpy(head.bias), expected, rtol=1e-3, atol=1e-3 / SCALE)
    assert head.bias.any()


def test_a_private_run_changes_no_weight_of_the_encoder(workbench: Workbench) -> None:
    result = private(workbench, planted_rows(30))
    adapter = read_adapter(workbench.artifacts.fetch(result.adapter))
    assert (adapter.identity.form.r, adapter.low_rank.factors) == (0, {})


@pytest.mark.parametrize("changes", [{"method": lora(r=4)}, {"task": frozen_head(model_ref())}], ids=["lora", "frozen"])
def test_only_a_head_of_its_own_is_trained_privately(changes: dict[str, object]) -> None:
    asked = {"privacy": {"epsilon": 8, "delta": 1e-5}, "method": HEAD, **changes}
    with pytest.raises(ValidationError, match="privacy trains a DP head"):
        train_spec(**asked)


def test_the_rows_of_a_private_run_are_those_that_were_counted(workbench: Workbench) -> None:
    counts = [private(workbench, planted_rows(50), max_rows=limit).rows for limit in (20, 50, 70)]
    assert counts == [20, 50, 50]
    assert all(later.step > earlier.step for earlier, later in itertools.pairwise(workbench.progress[-4:]))
