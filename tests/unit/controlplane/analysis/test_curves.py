"""The curve of a metric ends where its evidence is, and is made of counts alone."""

import pytest

from controlplane.domain.analysis.curves import evidence_curve
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.thinning import thinned
from tests.unit.controlplane.analysis.traffic import BOTH, cell, folded, labels_of, observed, started

SECONDS = 120


@pytest.fixture(scope="module")
def state():
    found = started(BOTH)
    for second in range(SECONDS):
        seen = observed(second, cell(1, 0.05, (18, 1), (2, second % 2)))
        found = folded(BOTH, found, second, [seen], labels_of(1, second, (9, 2), (1, 1)))
    return found


def test_a_curve_has_a_point_a_block_and_ends_at_the_evidence_of_now(state):
    for metric in state.metrics:
        points = evidence_curve(BOTH, metric)
        assert [(one.second, one.generation) for one in points] == [(one.closed, 1) for one in metric.closed]
        assert len(points) > 3, metric.name
        last = points[-1]
        assert (last.harm, last.safe, last.counts) == (metric.harm_now(), metric.safe, metric.total())


def test_counts_grow_from_block_to_block(state):
    [metric, *_] = state.metrics
    points = evidence_curve(BOTH, metric)
    total = Counts()
    for point, block in zip(points, metric.closed, strict=True):
        total = total.plus(block.counts)
        assert point.counts == total


def test_no_stored_e_value_is_believed(state):
    [metric, *_] = state.metrics
    forged = metric.model_copy(update={"harm": (9.0,) * 6, "harm_peak": 9.0, "safe": 99.0})
    assert evidence_curve(BOTH, forged) == evidence_curve(BOTH, metric)


def test_before_the_first_block_there_is_nothing_to_draw():
    assert [evidence_curve(BOTH, metric) for metric in started(BOTH).metrics] == [[] for _ in BOTH.metrics]


@pytest.mark.parametrize(("count", "most"), [(0, 5), (1, 5), (2, 5), (5, 5), (6, 5), (1000, 12)])
def test_fewer_points_keep_both_ends(count: int, most: int):
    points = list(range(count))
    kept = thinned(points, most)
    assert len(kept) <= most
    assert kept == sorted(set(kept))
    assert kept[:1] == points[:1]
    assert kept[-1:] == points[-1:]
    assert len(kept) == min(count, most)
