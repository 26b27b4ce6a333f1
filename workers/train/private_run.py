"""A private run: it reports step and total only, saves no checkpoint and measures no accuracy. Each would be a leak."""

from typing import Final

import torch
from torch import Tensor

from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import Privacy
from workers.tasks.text_classification.features import SCALE
from workers.tasks.text_classification.learner import ClassificationLearner, read_texts
from workers.train.dp_head import (
    fit_private_head,
    fold_centre,
    head_parameters,
    label_of,
    noise_warning,
    plan_budget,
)

_PUBLIC_ROWS: Final = 1_000
"""Enough to know the centre of features; more would only cost time."""


def train_privately(run: ClassificationLearner, privacy: Privacy) -> PrivacyLabel:
    budget = plan_budget(privacy)
    run.context.log(
        f"training a private head: {privacy.steps} steps over all rows, "
        f"noise multiplier {budget.noise_multiplier:.4g}, epsilon {budget.epsilon:.4g}, delta {privacy.delta:g}"
    )
    run.context.log("what a step measures would tell about the rows: no curve is kept, and no score")
    warning = noise_warning(
        budget.noise_multiplier, head_parameters(run.base.feature_size, len(run.labels)), len(run.examples)
    )
    if warning:
        run.context.log(warning)
    total = len(run.examples) + privacy.steps
    tokens = [example.tokens for example in run.examples]
    features = run.encode(tokens, lambda done: run.context.progress(done, total)) / SCALE
    centre = _centre(run)
    weights = fit_private_head(
        features - centre,
        torch.tensor([example.target for example in run.examples]),
        len(run.labels),
        privacy,
        budget.noise_multiplier,
        lambda step: run.context.progress(len(run.examples) + step, total),
    )
    run.model.head.load(fold_centre(weights, centre))
    return label_of(privacy, budget)


def _centre(run: ClassificationLearner) -> Tensor:
    """The mean feature of public rows; centring by the private rows would have to be paid for."""
    if run.spec.public_dataset is None:
        run.context.log("no public_dataset: features are not centred, which costs one or two points of accuracy")
        return torch.zeros(run.base.feature_size)
    tokens = read_texts(run.context.artifacts, run.spec.public_dataset, run.tokenizer, _PUBLIC_ROWS)
    return run.encode(tokens).mean(dim=0) / SCALE
