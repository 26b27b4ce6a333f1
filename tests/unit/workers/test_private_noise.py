"""A private head's noise: fresh in every step, every run and every number, of the scale that was accounted.

Rows of zeros have no gradient, so what comes out of them is noise alone and its distribution can be asked for.
"""

import math
import os
import random
import struct

import pytest
import torch
from torch import Tensor

from schemas.jobs.train import Privacy
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import HEAD
from tests.support.workbench import Workbench
from workers.adapters.files import read_adapter
from workers.tasks.text_classification.features import SCALE
from workers.train.dp_head import fit_private_head, gaussian_noise, plan_budget
from workers.train.handler import handle

CLIP, MULTIPLIER, ROWS, FEATURES = 0.5, 4.0, 50, 4000
# 4,000 draws: the standard error of a standard deviation is 1.1 %, of a correlation 1.6 %; each bound is five of them.
WITHIN, UNCORRELATED = 0.06, 0.08


def settings(steps: int, **fields: object) -> Privacy:
    return Privacy.model_validate(
        {"epsilon": 8, "delta": 1e-5, "steps": steps, "max_grad_norm": CLIP, "learning_rate": 1.0} | fields
    )


def noise_alone(steps: int, labels: int = 2) -> Tensor:
    """The weights after `steps` steps without any gradient, in units of one step's accounted noise."""
    targets = torch.arange(ROWS) % labels
    weights = fit_private_head(torch.zeros(ROWS, FEATURES), targets, labels, settings(steps), MULTIPLIER)
    one_step = (1.0 / steps / CLIP) * (MULTIPLIER * CLIP) / ROWS
    return weights / one_step


def averaged_walk(steps: int, averaged: int = 20) -> float:
    """The standard deviation of the mean of the last `averaged` positions of a walk of independent unit steps."""
    kept = min(steps, averaged)
    first = steps - kept
    # Noise of step s is in every kept position from s on.
    shares = [min(kept, steps - step) / kept for step in range(steps)]
    assert shares[first] == 1.0
    return math.sqrt(sum(share**2 for share in shares))


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 20, 21, 40])
def test_the_noise_of_every_step_is_its_own(steps: int) -> None:
    """One draw for all steps adds up to more, noise of opposite signs or of some steps only to less."""
    assert float(noise_alone(steps).std()) == pytest.approx(averaged_walk(steps), rel=WITHIN)


def test_the_rarest_draw_is_as_large_as_53_bits_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """All bits zero: four times sqrt(2 · 53 · ln 2), of a sum that is halved."""
    monkeypatch.setattr(os, "urandom", bytes)
    drawn = gaussian_noise((2, 3), 0.5)
    assert drawn.tolist() == [[pytest.approx(0.5 * 2 * math.sqrt(2 * 53 * math.log(2)))] * 3] * 2


def test_no_step_repeats_the_noise_of_another() -> None:
    """Each prefix of a run ends in noise that does not tell where the next one goes."""
    shape = (FEATURES, 1)
    draws = torch.cat([gaussian_noise(shape, 1.0) for _ in range(6)], dim=1)
    between = torch.corrcoef(draws.T) - torch.eye(6)
    assert float(between.abs().max()) < UNCORRELATED


def test_the_noise_of_every_run_is_its_own() -> None:
    runs = torch.cat([noise_alone(3) for _ in range(6)], dim=1)
    assert float((torch.corrcoef(runs.T) - torch.eye(6)).abs().max()) < UNCORRELATED


def test_the_noise_of_every_label_and_every_feature_is_its_own() -> None:
    weights = noise_alone(2, labels=3)
    assert weights.shape == (FEATURES, 3)
    assert weights.std(dim=0).tolist() == pytest.approx([averaged_walk(2)] * 3, rel=WITHIN)
    assert float((torch.corrcoef(weights.T) - torch.eye(3)).abs().max()) < UNCORRELATED
    neighbours = torch.corrcoef(torch.stack([weights[:-1, 0], weights[1:, 0]]))[0, 1]
    assert abs(float(neighbours)) < UNCORRELATED


def test_every_step_asks_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """No generator of ours stands between: eight random bytes for each of two uniforms of each of four draws."""
    real, asked = os.urandom, list[int]()

    def urandom(size: int) -> bytes:
        asked.append(size)
        return real(size)

    monkeypatch.setattr(os, "urandom", urandom)
    noise_alone(5)
    assert asked == [2 * 4 * 8 * FEATURES] * 5


def test_each_number_is_four_draws_of_the_operating_system_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """One draw has gaps between its floating-point numbers that tell what it was added to."""
    bits = random.Random(1).randbytes(8 * 8 * 3)
    monkeypatch.setattr(os, "urandom", lambda size: bits[:size])
    uniforms = [number >> 11 for number in struct.unpack("<24Q", bits)]
    expected = [
        sum(
            math.sqrt(-2 * math.log((uniforms[draw * 3 + place] + 1) / 2**53))
            * math.cos(2 * math.pi * uniforms[12 + draw * 3 + place] / 2**53)
            for draw in range(4)
        )
        for place in range(3)
    ]
    assert (gaussian_noise((3, 1), 2.0).flatten()).tolist() == pytest.approx(expected)


def test_a_trained_head_is_as_noisy_as_its_label_says(workbench: Workbench) -> None:
    """The wiring: label, clip, steps and rows of the run, not those of the defaults. Equal seeds, equal data."""
    rows, steps, clip, rate = 60, 5, 0.25, 1e-3
    dataset = workbench.dataset(train=planted_rows(rows))
    privacy = {"epsilon": 2, "delta": 1e-6, "steps": steps, "max_grad_norm": clip, "learning_rate": rate}
    spec = workbench.train_spec(dataset, method=HEAD, privacy=privacy, seed=7)
    results = [handle(spec, workbench.context()) for _ in range(8)]
    labels = {result.privacy for result in results}
    assert len(labels) == 1
    (label,) = labels
    assert label is not None
    assert (label.steps, label.max_grad_norm, label.delta, label.sample_rate) == (steps, clip, 1e-6, 1.0)
    assert label.noise_multiplier == pytest.approx(plan_budget(spec.privacy).noise_multiplier)  # type: ignore[arg-type]
    heads = [read_adapter(workbench.artifacts.fetch(result.adapter)).head.weight for result in results]
    # Half the weights' noise is in each of the two classes, over features of norm 10.
    drawn = torch.tensor([head[1].tolist() for head in heads]) * 2 * SCALE
    expected = rate / steps / clip * label.noise_multiplier * clip / rows * averaged_walk(steps)
    # At so small a learning rate the gradient is the same in all runs: they differ by noise alone. 7 × 64 numbers.
    assert float(drawn.std(dim=0).square().mean().sqrt()) == pytest.approx(expected, rel=0.17)
