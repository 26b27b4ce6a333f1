"""A differentially private linear head: full-batch noisy gradient descent on frozen features (add/remove one row).

Abadi et al. 2016 (https://arxiv.org/abs/1607.00133) without subsampling; settings measured on movie reviews.
"""

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from opacus.accountants.utils import create_accountant, get_noise_multiplier
from torch import Tensor
from torch.nn.functional import one_hot

from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import Privacy
from workers.adapters.head import Head
from workers.tasks.text_classification.features import SCALE

NOT_CHARGED: Final = (
    "the choice of hyper-parameters, feature recipe and layers",
    "the number of rows and the set of labels, which are taken as public",
    "curation of the dataset: deduplication, balancing, splits",
    "scores, attacks and feedback measured on private rows later",
    "attempts of this job that ended before their result was recorded",
)
_AVERAGED: Final = 20
"""The mean of so many last iterates is the answer: post-processing, and less noise."""


@dataclass(frozen=True)
class Budget:
    noise_multiplier: float
    epsilon: float
    """What the steps spend, by the accountant: at most the target."""


def plan_budget(privacy: Privacy) -> Budget:
    with warnings.catch_warnings():
        # Without subsampling the accountant takes log(1 - 1) on purpose; Rényi orders only place its grid.
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        noise_multiplier = get_noise_multiplier(
            target_epsilon=privacy.epsilon,
            target_delta=privacy.delta,
            sample_rate=1.0,
            steps=privacy.steps,
            accountant=privacy.accountant,
            epsilon_tolerance=min(0.01, privacy.epsilon / 100),
        )
        accountant = create_accountant(privacy.accountant)
        accountant.history = [(noise_multiplier, 1.0, privacy.steps)]
        spent = accountant.get_epsilon(delta=privacy.delta)
    return Budget(float(noise_multiplier), float(spent))


def label_of(privacy: Privacy, budget: Budget) -> PrivacyLabel:
    return PrivacyLabel(
        epsilon=budget.epsilon,
        delta=privacy.delta,
        noise_multiplier=budget.noise_multiplier,
        max_grad_norm=privacy.max_grad_norm,
        steps=privacy.steps,
        sample_rate=1.0,
        accountant=privacy.accountant,
        not_charged=NOT_CHARGED,
    )


def noise_warning(noise_multiplier: float, parameters: int, rows: int) -> str | None:
    """Noise of one step relative to the largest possible mean gradient; thresholds are a rule of thumb."""
    ratio = noise_multiplier * parameters**0.5 / rows
    if ratio <= 0.05:
        return None
    advice = (
        "expect little above chance: use more rows, fewer labels or a larger epsilon"
        if ratio > 0.5
        else "use more rows"
    )
    return f"noise is {ratio:.2f} of the greatest mean gradient ({parameters} parameters, {rows} rows): {advice}"


def head_parameters(feature_size: int, labels: int) -> int:
    return feature_size * _columns(labels)


def fit_private_head(
    features: Tensor,
    targets: Tensor,
    labels: int,
    privacy: Privacy,
    noise_multiplier: float,
    on_step: Callable[[int], None] = lambda step: None,
) -> Tensor:
    """Weights [features, columns] over rows of norm about 1: one column for two labels, else one each."""
    columns = _columns(labels)
    weights = torch.zeros(features.shape[1], columns, dtype=torch.float64)
    expected = (targets.unsqueeze(1) if columns == 1 else one_hot(targets, labels)).to(torch.float64)
    inputs, norms = features.to(torch.float64), features.to(torch.float64).norm(dim=1, keepdim=True)
    step_size = (
        (privacy.learning_rate or default_learning_rate(privacy.epsilon)) / privacy.steps / privacy.max_grad_norm
    )
    last: list[Tensor] = []
    for step in range(privacy.steps):
        residuals = _probabilities(inputs @ weights) - expected
        # A row's gradient is the outer product of its features and its residual: so is its norm.
        clip = (privacy.max_grad_norm / (norms * residuals.norm(dim=1, keepdim=True)).clamp(min=1e-12)).clamp(max=1.0)
        noise = gaussian_noise((features.shape[1], columns), noise_multiplier * privacy.max_grad_norm)
        weights = weights - step_size * (inputs.T @ (residuals * clip) + noise) / len(features)
        last = [*last, weights][-_AVERAGED:]
        on_step(step + 1)
    return torch.stack(last).mean(dim=0)


def default_learning_rate(epsilon: float) -> float:
    return 10_000.0 if epsilon >= 3 else 3_000.0


def gaussian_noise(shape: tuple[int, int], std: float) -> Tensor:
    """Noise that nobody can predict: from the operating system, never from a job's seed.

    The seed is in the spec, which many may read: noise derived from it could be subtracted again. A torch.Generator
    would not do either: on a CPU it keeps 32 bits of its seed, which can be tried out. Four draws are added, so that
    the gaps between floating-point numbers tell nothing (https://arxiv.org/abs/2107.10138, as Opacus's secure mode).
    """
    count = shape[0] * shape[1]
    uniforms = np.frombuffer(os.urandom(8 * 8 * count), dtype=np.uint64).reshape(2, 4, count) >> np.uint64(11)
    radius = np.sqrt(-2.0 * np.log((uniforms[0] + 1.0) * 2.0**-53))
    draws = radius * np.cos(2.0 * np.pi * uniforms[1] * 2.0**-53)  # Box-Muller
    return torch.from_numpy(draws.sum(axis=0).reshape(shape) / 2.0 * std)


def fold_centre(weights: Tensor, centre: Tensor) -> Head:
    """The head on the recipe's own features that equals `weights` on (features / SCALE − centre)."""
    rows = torch.cat([-weights.T / 2, weights.T / 2]) if weights.shape[1] == 1 else weights.T
    bias = -(rows @ centre.to(rows.dtype))
    return Head((rows / SCALE).to(torch.float32).numpy(), bias.to(torch.float32).numpy())


def _columns(labels: int) -> int:
    return 1 if labels == 2 else labels


def _probabilities(scores: Tensor) -> Tensor:
    return torch.sigmoid(scores) if scores.shape[1] == 1 else torch.softmax(scores, dim=1)
