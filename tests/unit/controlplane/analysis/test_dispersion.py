"""How much more counts vary than independent units: by hand, and where nothing can be told."""

import pytest

from controlplane.domain.analysis.blocks import add_block, add_share, block_of
from controlplane.domain.analysis.dispersion import Dispersion, Sums, dispersion_of
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.state import LabelledShare, MetricState
from schemas.rollouts import CanaryPolicy


@pytest.mark.parametrize(
    ("windows", "phi"),
    [
        # rate 1/10: ((2 - 1)² + (0 - 1)²) / (0.09 · 20) · 2 / 1
        ([(10, 2), (10, 0)], 2.2222222222),
        # rate 3/20: ((4 - 1.5)² + (2 - 4.5)²) / (0.1275 · 40) · 2 / 1
        ([(10, 4), (30, 2)], 4.9019607843),
        # rate 1/10: (0² + 1² + 1²) / (0.09 · 30) · 3 / 2
        ([(10, 1), (10, 2), (10, 0)], 1.1111111111),
        ([(10, 1), (10, 1)], 0.0),
    ],
)
def test_it_is_the_squares_around_the_arms_own_rate(windows: list[tuple[int, int]], phi: float) -> None:
    found = dispersion_of(Counts(units, events, 1, 0) for units, events in windows)
    assert found.stable.phi() == pytest.approx(phi)
    assert found.phi() == pytest.approx(max(1.0, phi)), "the canary's counts tell nothing: 1"
    swapped = dispersion_of(Counts(1, 0, units, events) for units, events in windows)
    assert swapped.phi() == found.phi()


@pytest.mark.parametrize("windows", [[], [(10, 3)], [(10, 0), (10, 0)], [(10, 10), (5, 5)], [(10, 3), (0, 0)]])
def test_one_window_or_windows_that_are_all_alike_tell_nothing(windows: list[tuple[int, int]]) -> None:
    assert dispersion_of(Counts(units, events, 0, 0) for units, events in windows).phi() == 1.0


def test_windows_are_summed_arm_by_arm_and_those_without_units_are_none() -> None:
    found = dispersion_of([Counts(10, 4, 0, 0), Counts(30, 2, 5, 1)])
    assert found == Dispersion(Sums(2, 40, 6, 1000, 100, 20), Sums(1, 5, 1, 25, 5, 1))
    assert found.plus(Dispersion()) == found


def test_the_index_of_a_block_is_of_all_windows_up_to_it() -> None:
    """Each block by itself has an even rate; beside the other one it does not."""
    blocks = [
        block_of(1, (0, 9), [Counts(10, 4, 10, 0), Counts(10, 4, 10, 0)]),
        block_of(1, (10, 19), [Counts(10, 0, 10, 0), Counts(10, 0, 10, 0)]),
    ]
    # rate 1/5: four times 2² / (0.16 · 40) · 4 / 3
    uneven = 16 / 6.4 * 4 / 3
    metric, share = MetricState(name="error"), LabelledShare()
    for block in blocks:
        metric, share = add_block(CanaryPolicy(), metric, block), add_share(CanaryPolicy(), share, block)
    for state in (metric, share):
        assert [block.phi for block in state.closed] == [1.0, pytest.approx(uneven)]
        assert state.dispersion == Dispersion(Sums(4, 40, 8, 400, 80, 32), Sums(4, 40, 0, 400, 0, 0))
