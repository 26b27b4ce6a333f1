"""E[e] ≤ 1 under the null, by enumerating everything that can happen: the bet on a block may not know the block."""

from collections.abc import Iterator
from itertools import product
from math import comb, exp, prod

import pytest

from controlplane.domain.analysis.blocks import add_block, add_share, block_of
from controlplane.domain.analysis.dispersion import Dispersion
from controlplane.domain.analysis.eprocess import Counts, harm_log_e
from controlplane.domain.analysis.state import LabelledShare, MetricState
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric

SIZES = (3, 2)
"""Stable and canary units of a window."""
METRICS = (ErrorMetric(margin=0.1), WrongMetric(name="wrong", margin=0.1), ErrorMetric(margin=0.01, prior=(5.0, 5.0)))
RATES = (0.01, 0.1, 0.3, 0.6)
ROUNDING = 1e-9

Blocks = list[list[Counts]]
"""Windows of each block."""


def everything(shape: tuple[int, ...], stable: float, canary: float) -> Iterator[tuple[float, Blocks]]:
    """Every outcome with its probability; `shape` says how many windows each block has."""
    windows = [Counts(SIZES[0], y, SIZES[1], z) for y in range(SIZES[0] + 1) for z in range(SIZES[1] + 1)]
    for outcome in product(windows, repeat=sum(shape)):
        chance = prod(_binomial(w[1], w[0], stable) * _binomial(w[3], w[2], canary) for w in outcome)
        left = list(outcome)
        yield chance, [[left.pop(0) for _ in range(number)] for number in shape]


def _binomial(events: int, units: int, rate: float) -> float:
    return comb(units, events) * rate**events * (1 - rate) ** (units - events)


def folded(policy: CanaryPolicy, blocks: Blocks, *, tempered: bool) -> MetricState:
    state = MetricState(name=policy.metrics[0].name)
    for number, windows in enumerate(blocks):
        block = block_of(1, (number, number), windows)
        state = add_block(policy, state, block if tempered else block._replace(dispersion=Dispersion()))
    return state


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("better", [0.0, 0.05])
def test_evidence_of_harm_is_an_e_value(metric: ErrorMetric | WrongMetric, rate: float, better: float) -> None:
    policy = CanaryPolicy(metrics=(metric,))
    canary = max(0.0, rate - better)
    for shape, tempered in (((1, 1), False), ((1, 1), True), ((2,), True), ((2, 1), True)):
        found = sum(
            chance * exp(folded(policy, blocks, tempered=tempered).harm_now())
            for chance, blocks in everything(shape, rate, canary)
        )
        assert found <= 1 + ROUNDING, (shape, tempered)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("worse", [0.0, 0.05])
def test_evidence_of_safety_is_an_e_value(metric: ErrorMetric | WrongMetric, rate: float, worse: float) -> None:
    policy = CanaryPolicy(metrics=(metric,))
    canary = rate + policy.margin_of(metric) + worse
    found = sum(
        chance * exp(folded(policy, blocks, tempered=False).safe) for chance, blocks in everything((1, 1), rate, canary)
    )
    assert found <= 1 + ROUNDING


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.95, 0.999])
def test_evidence_of_unequal_label_shares_is_an_e_value(rate: float) -> None:
    policy, found = CanaryPolicy(), 0.0
    for chance, blocks in everything((1, 1), rate, rate):
        share = LabelledShare()
        for number, windows in enumerate(blocks):
            plain = block_of(1, (number, number), windows)._replace(dispersion=Dispersion())
            share = add_share(policy, share, plain)
        found += chance * exp(harm_log_e((*share.more, *share.fewer)))
    assert found <= 1 + ROUNDING


@pytest.mark.parametrize("lacks", ["stable", "canary"])
def test_where_nearly_every_answer_gets_a_label_a_few_that_lack_one_are_enough(lacks: str) -> None:
    """No metric is forecast to happen so often; the share of labels is, or the same blocks would stay below 1,000."""
    policy, share = CanaryPolicy(), LabelledShare()
    counts = Counts(100, 97, 100, 100) if lacks == "stable" else Counts(100, 100, 100, 97)
    for number in range(9):
        share = add_share(policy, share, block_of(1, (number, number), [counts, counts]))
    assert 1000 < exp(share.peak) < 3000
    shown = share.peak
    for number in range(9, 40):
        share = add_share(policy, share, block_of(1, (number, number), [Counts(100, 100, 100, 100)] * 2))
    assert share.now() < shown == share.peak, "what was shown once stays shown"


def test_failures_that_come_together_count_for_less_and_apart_for_as_much() -> None:
    policy = CanaryPolicy()
    spread = [Counts(100, 1, 10, 1), Counts(100, 1, 10, 1), Counts(100, 1, 10, 1), Counts(100, 1, 10, 1)]
    together = [Counts(100, 4, 10, 4), Counts(100, 0, 10, 0), Counts(100, 0, 10, 0), Counts(100, 0, 10, 0)]
    plain = folded(policy, [together], tempered=False)
    assert folded(policy, [spread], tempered=True).harm == folded(policy, [spread], tempered=False).harm
    tempered = folded(policy, [together], tempered=True)
    assert tempered.closed[-1].phi > 2
    assert tempered.harm == pytest.approx([log / tempered.closed[-1].phi for log in plain.harm])
    assert tempered.safe == pytest.approx(plain.safe / tempered.closed[-1].phi)


def test_labels_that_are_wrong_themselves_leave_less_of_the_margin() -> None:
    """Two in ten: a true difference of 5 points is seen as 3."""
    noisy = CanaryPolicy(metrics=(WrongMetric(name="wrong", margin=0.05),), label_noise=0.2)
    plain = CanaryPolicy(metrics=(WrongMetric(name="wrong", margin=0.03),))
    blocks = [[Counts(100, 10, 100, 10)]]
    assert folded(noisy, blocks, tempered=True).safe == pytest.approx(folded(plain, blocks, tempered=True).safe)


def test_a_difference_between_the_arms_is_no_dispersion() -> None:
    """A canary that always fails is as bad in every window."""
    state = folded(CanaryPolicy(), [[Counts(240, 0, 10, 10), Counts(240, 0, 10, 10)]], tempered=True)
    assert state.closed[-1].phi == 1.0


def test_the_smaller_arms_clusters_do_not_drown_in_the_larger_ones_calm() -> None:
    calm = [Counts(1000, 10, 10, 0)] * 20
    state = folded(CanaryPolicy(), [[*calm, Counts(1000, 10, 10, 9)]], tempered=True)
    assert state.closed[-1].phi > 5
