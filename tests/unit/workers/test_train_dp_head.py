"""A private head learns, costs what it says, is noisy as much as it says, and tells nothing on the way."""

import math
import warnings

import numpy as np
import pytest
import torch

from schemas.jobs.train import Privacy, TrainResult
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import HEAD
from tests.support.workbench import Workbench
from workers.adapters.files import read_adapter
from workers.base.loading import load_base
from workers.base.tokenizer import TextTokenizer
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import LinearHead
from workers.tasks.text_classification.features import SCALE
from workers.tasks.text_classification.reference import reference_classifier
from workers.train import dp_head
from workers.train.dp_head import (
    fit_private_head,
    fold_centre,
    gaussian_noise,
    head_parameters,
    noise_warning,
    plan_budget,
)
from workers.train.handler import handle

EPSILON_8 = Privacy(epsilon=8, delta=1e-5)


def spent_delta(epsilon: float, noise_multiplier: float, steps: int) -> float:
    """Delta of `steps` Gaussian mechanisms, exact (Balle & Wang 2018, Theorem 8): independent of Opacus."""
    mu = math.sqrt(steps) / noise_multiplier

    def normal_cdf(value: float) -> float:
        return math.erfc(-value / math.sqrt(2)) / 2

    return normal_cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * normal_cdf(-mu / 2 - epsilon / mu)


@pytest.mark.parametrize(("epsilon", "delta"), [(8.0, 1e-5), (1.0, 1e-5), (0.1, 1e-6)])
def test_the_noise_pays_for_the_epsilon_and_is_not_wasteful(epsilon: float, delta: float) -> None:
    budget = plan_budget(Privacy(epsilon=epsilon, delta=delta))
    assert 0 <= epsilon - budget.epsilon <= min(0.01, epsilon / 100)
    assert spent_delta(epsilon, budget.noise_multiplier, 40) <= delta
    # 5 % less noise would not do: the accountant's grid wastes less than that at epsilon 1 and above.
    if epsilon >= 1:
        assert spent_delta(epsilon, 0.95 * budget.noise_multiplier, 40) > delta


def test_only_the_accountant_s_own_warnings_are_silenced(monkeypatch: pytest.MonkeyPatch) -> None:
    def accounted(**_: object) -> float:
        for category in (RuntimeWarning, UserWarning, DeprecationWarning):
            warnings.warn("planted", category, stacklevel=2)
        return 3.8

    monkeypatch.setattr(dp_head, "get_noise_multiplier", accounted)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert plan_budget(EPSILON_8).noise_multiplier == 3.8
    assert [warning.category for warning in told] == [DeprecationWarning]


def train(workbench: Workbench, **fields: object) -> TrainResult:
    dataset = workbench.dataset(train=planted_rows(1000), validation=planted_rows(20, seed=1))
    spec = workbench.train_spec(dataset, privacy=EPSILON_8, method=HEAD, **fields)
    return handle(spec, workbench.context())


def test_it_learns_more_than_a_constant_answer_and_says_its_price(workbench: Workbench) -> None:
    public = workbench.dataset(name="public", train=planted_rows(100, seed=5))
    result = train(workbench, public_dataset=public)
    adapter = read_adapter(workbench.artifacts.fetch(result.adapter))
    base = load_base(workbench.base)
    tokenizer = TextTokenizer(base.tokenizer_file, result.identity.max_length)
    rows = planted_rows(200, seed=2)
    batch = tokenizer.pad(tokenizer.encode([text for text, _ in rows]))
    with torch.no_grad():
        logits = reference_classifier(base, adapter)(
            torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
        )
    answers = [result.identity.task.labels[number] for number in logits.argmax(dim=1)]
    accuracy = sum(answer == label for answer, (_, label) in zip(answers, rows, strict=True)) / len(rows)
    assert accuracy > 0.75  # a constant answer: 0.5; without noise: 0.91; lowest of 60 noise draws: 0.88
    assert result.privacy is not None
    assert result.privacy.epsilon <= 8
    assert result.privacy.noise_multiplier == pytest.approx(3.80, abs=0.05)  # knowledge: sqrt(40) / 1.666
    assert (result.privacy.delta, result.privacy.steps, result.privacy.sample_rate) == (1e-5, 40, 1.0)
    assert result.privacy.not_charged
    assert adapter.identity.form.r == 0
    assert not adapter.low_rank.factors


def test_it_reports_steps_only(workbench: Workbench) -> None:
    result = train(workbench)
    assert workbench.progress
    assert all(not report.metrics and not report.message for report in workbench.progress)
    assert not workbench.checkpoints
    assert result.validation_accuracy is None
    assert not any("loss" in line for line in workbench.log)


def test_noise_does_not_follow_the_seed(workbench: Workbench) -> None:
    assert train(workbench, seed=1).adapter.digest != train(workbench, seed=1).adapter.digest


def test_one_step_is_as_noisy_as_accounted() -> None:
    """Fails when noise is missing, scaled by the wrong clip, or added per batch instead of once."""
    privacy = Privacy(epsilon=8, delta=1e-5, steps=1, max_grad_norm=0.5, learning_rate=1.0)
    generator = torch.Generator().manual_seed(0)
    features = torch.nn.functional.normalize(torch.randn(50, 2000, generator=generator), dim=1)
    targets = torch.arange(50) % 2
    clean = fit_private_head(features, targets, 2, privacy, noise_multiplier=0.0)
    noisy = fit_private_head(features, targets, 2, privacy, noise_multiplier=4.0)
    step_size = 1.0 / 0.5
    noise_on_the_sum = (clean - noisy) / step_size * len(features)
    # 2,000 draws: the standard error of a standard deviation is 1.6 %, so 8 % is five of them.
    assert float(noise_on_the_sum.std()) == pytest.approx(4.0 * 0.5, rel=0.08)


def test_noise_is_gaussian_and_unpredictable() -> None:
    draws = torch.cat([gaussian_noise((100_000, 1), 3.0), gaussian_noise((100_000, 1), 3.0)]).flatten() / 3.0
    torch.manual_seed(0)
    first = gaussian_noise((4, 1), 1.0)
    torch.manual_seed(0)
    assert not torch.equal(first, gaussian_noise((4, 1), 1.0))
    # Five standard errors of each moment over 200,000 draws.
    assert abs(float(draws.mean())) < 0.012
    assert float(draws.var()) == pytest.approx(1.0, abs=0.016)
    assert float((draws.abs() > 1.96).double().mean()) == pytest.approx(0.05, abs=0.0025)


@pytest.mark.parametrize("labels", [2, 3])
def test_one_row_moves_the_sum_by_the_clip_at_most(labels: int) -> None:
    privacy = Privacy(epsilon=8, delta=1e-5, steps=1, max_grad_norm=0.5, learning_rate=0.5)
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(20, 6, generator=generator) * 10
    targets = torch.arange(20) % labels

    def clipped_sum(rows: int) -> torch.Tensor:
        return fit_private_head(features[:rows], targets[:rows], labels, privacy, 0.0) * rows

    influence = float((clipped_sum(20) - clipped_sum(19)).norm())
    assert influence == pytest.approx(0.5, rel=1e-9)


def test_several_labels_are_learnt() -> None:
    generator = torch.Generator().manual_seed(2)
    targets = torch.arange(3000) % 3
    centres = torch.nn.functional.normalize(torch.randn(3, 16, generator=generator), dim=1)
    noise = 0.15 * torch.randn(3000, 16, generator=generator)
    features = torch.nn.functional.normalize(centres[targets] + noise, dim=1)
    budget = plan_budget(EPSILON_8)
    weights = fit_private_head(features, targets, 3, EPSILON_8, budget.noise_multiplier)
    accuracy = float(((features @ weights.float()).argmax(dim=1) == targets).float().mean())
    assert accuracy > 0.9  # a constant answer: 0.33


def test_a_label_without_a_row_has_weights_too() -> None:
    """The set of labels is public, and so is its size: it does not tell which of them occur."""
    weights = fit_private_head(torch.eye(5), torch.arange(5) % 3, 4, EPSILON_8, 1.0)
    assert weights.shape == (5, 4)
    assert bool(weights.abs().min() > 0)


@pytest.mark.parametrize("columns", [1, 3])
def test_centring_folds_into_the_bias(columns: int) -> None:
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(8, columns, generator=generator, dtype=torch.float64)
    centre, inputs = torch.randn(8, generator=generator), torch.randn(5, 8, generator=generator)
    head = LinearHead(8, max(2, columns))
    folded = fold_centre(weights, centre)
    assert (folded.weight.dtype, folded.bias.dtype) == (np.float32, np.float32), "as every other head is kept"
    head.load(folded)
    logits = head(inputs * SCALE)
    scores = (inputs - centre) @ weights.float()
    found = logits[:, 1:] - logits[:, :1] if columns == 1 else logits
    torch.testing.assert_close(found, scores, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "ratio", "advice"),
    [
        (25, None, None),
        (36, "0.06", "use more rows"),
        (2500, "0.50", "use more rows"),
        (3600, "0.60", "expect little above chance: use more rows, fewer labels or a larger epsilon"),
    ],
    ids=["just little enough", "too much", "just not hopeless", "hopeless"],
)
def test_noise_is_held_against_the_greatest_mean_gradient(
    parameters: int, ratio: str | None, advice: str | None
) -> None:
    """A step's noise is as long as its multiplier times the root of the number of parameters."""
    said = f"noise is {ratio} of the greatest mean gradient ({parameters} parameters, 100 rows): {advice}"
    assert noise_warning(1.0, parameters, 100) == (said if ratio else None)


def test_two_labels_need_one_column_of_weights_and_more_one_each() -> None:
    assert [head_parameters(64, labels) for labels in (2, 3, 4)] == [64, 192, 256]


def test_too_few_rows_are_warned_of(workbench: Workbench) -> None:
    dataset = workbench.dataset(train=planted_rows(40))
    handle(workbench.train_spec(dataset, privacy=EPSILON_8, method=HEAD), workbench.context())
    assert any("little above chance" in line for line in workbench.log)


def test_public_rows_that_are_not_there_are_an_error(workbench: Workbench) -> None:
    empty = workbench.dataset(name="public", test=planted_rows(2))
    with pytest.raises(JobError, match="public/1 has no train rows"):
        train(workbench, public_dataset=empty)
