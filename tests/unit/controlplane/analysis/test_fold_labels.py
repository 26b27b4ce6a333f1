"""The fold of labels: which cohort they belong to, how long they are waited for, and what has none."""

from controlplane.domain.analysis.cohorts import Label
from controlplane.domain.analysis.dispersion import dispersion_of
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.fold import Batch, fold
from controlplane.domain.analysis.state import AnalysisState, MetricState
from controlplane.domain.analysis.unit_counts import Arrived
from schemas.rollouts import AbandonedMetric, CanaryPolicy, ErrorMetric
from tests.unit.controlplane.analysis.blocks import closed, error_of, steady, wrong_of
from tests.unit.controlplane.analysis.traffic import BOTH, ERRORS, PATIENT, cell, folded, labels_of, observed, started


def test_a_cohort_is_folded_once_its_labels_were_waited_for():
    labels = [label._replace(stored_second=39) for label in labels_of(1, 0, (4, 1), (1, 1))]
    waiting = fold(PATIENT, started(PATIENT), Batch(60, steady(range(10)), 38, labels))
    assert closed(error_of(waiting)) == [(1, 0, 9, Counts(190, 10, 10, 0))]
    assert (closed(wrong_of(waiting)), len(waiting.cohorts)) == ([], 1)
    mature = fold(PATIENT, waiting, Batch(60, [], 39, labels))
    assert closed(wrong_of(mature)) == [(1, 0, 9, Counts(4, 1, 1, 1))]
    assert (mature.cohorts, mature.late_labels) == ((), Counts())


def test_a_label_that_comes_after_the_wait_is_shown_and_never_folded():
    labels = labels_of(1, 0, (4, 1), (1, 0))
    late = [label._replace(stored_second=40) for label in labels_of(1, 9, (2, 2), (1, 1))]
    state = fold(PATIENT, started(PATIENT), Batch(200, steady(range(10)), 200, [*labels, *late]))
    assert closed(wrong_of(state)) == [(1, 0, 9, Counts(4, 1, 1, 0))]
    assert state.late_labels == Counts(2, 2, 1, 1)


def test_a_label_belongs_to_the_time_of_serving_and_not_of_storing():
    """The base falls while the canary's labels come late: side by side they would tell of another time."""
    early = [label._replace(stored_second=25) for label in labels_of(1, 5, (0, 0), (10, 3))]
    at_once = [*labels_of(1, 5, (100, 30), (0, 0)), *labels_of(1, 15, (100, 10), (10, 1))]
    state = fold(PATIENT, started(PATIENT), Batch(99, steady(range(20)), 99, [*at_once, *early]))
    assert closed(wrong_of(state)) == [
        (1, 0, 9, Counts(100, 30, 10, 3)),
        (1, 10, 19, Counts(100, 10, 10, 1)),
    ]


ABANDONED = CanaryPolicy(metrics=(ErrorMetric(), AbandonedMetric(name="abandoned", margin=0.01)))


def abandoned_of(state: AnalysisState):
    return next(metric for metric in state.metrics if metric.name == "abandoned")


def test_what_callers_abandon_is_a_metric_of_its_own_that_waits_for_no_label():
    seen = [observed(second, cell(1, 0.05, (19, 2, 3), (3, 1, 2))) for second in range(10)]
    state = folded(ABANDONED, started(ABANDONED), 9, seen)
    assert closed(error_of(state)) == [(1, 0, 9, Counts(190, 20, 30, 10))]
    assert closed(abandoned_of(state)) == [(1, 0, 9, Counts(190, 30, 30, 20))]
    assert (error_of(state).in_step(0), abandoned_of(state).in_step(0)) == (
        Counts(190, 20, 30, 10),
        Counts(190, 30, 30, 20),
    )
    assert state.arrived == Arrived(190, 20, 30, 30, 10, 20)


def test_sessions_that_were_abandoned_count_as_such():
    seen = observed(0, cell(1, 0.05, (5, 1, 1), sessions=[("a", "canary", "abandoned"), ("b", "stable", "error")]))
    state = folded(ABANDONED, started(ABANDONED), 0, [seen])
    assert abandoned_of(state).in_step(0) == Counts(6, 1, 1, 1)
    assert error_of(state).in_step(0) == Counts(6, 2, 1, 0)


def test_its_evidence_is_made_as_that_of_errors():
    """The same events under the other name: whatever is said of one is said of the other."""

    def evidence(name: str) -> MetricState:
        arms = [(38, 2, 1), (2, 1, 0)]
        swapped = [(units, one, other) if name == "error" else (units, other, one) for units, one, other in arms]
        seen = [observed(second, cell(1, 0.05, *swapped)) for second in range(40)]
        state = folded(ABANDONED, started(ABANDONED), 39, seen)
        return next(metric for metric in state.metrics if metric.name == name)

    found = evidence("abandoned")
    assert found.harm_peak > 3
    assert found.model_copy(update={"name": "error"}) == evidence("error")


def test_labels_wait_for_the_observations_of_their_units():
    ahead = fold(PATIENT, started(PATIENT), Batch(4, steady(range(5)), 500, labels_of(1, 8, (4, 1), (1, 1))))
    assert ahead.labels_horizon == 4
    later = fold(PATIENT, ahead, Batch(9, steady(range(5, 10)), 500, labels_of(1, 8, (4, 1), (1, 1))))
    assert closed(wrong_of(later)) == [(1, 0, 9, Counts(4, 1, 1, 1))]


def test_a_cohort_in_which_an_arm_has_no_label_waits_for_the_next_one():
    labels = [*labels_of(1, 5, (4, 1), (0, 0)), *labels_of(1, 15, (5, 1), (1, 1))]
    state = fold(PATIENT, started(PATIENT), Batch(99, steady(range(20)), 99, labels))
    assert closed(wrong_of(state)) == [(1, 0, 19, Counts(9, 2, 1, 1))]
    assert len(state.labelled.closed) == 2, "how many answers have labels is asked of every cohort"


def test_a_cohort_that_waited_keeps_how_its_labels_came_together():
    """Its windows are asked of the joined block's dispersion, as if it had been one block from the beginning."""
    alone = [*labels_of(1, 1, (40, 8), (0, 0)), *labels_of(1, 6, (40, 0), (0, 0))]
    state = fold(
        PATIENT, started(PATIENT), Batch(99, steady(range(20)), 99, [*alone, *labels_of(1, 15, (5, 1), (1, 1))])
    )
    (block,) = wrong_of(state).closed
    assert block.dispersion == dispersion_of([Counts(40, 8, 0, 0), Counts(40, 0, 0, 0), Counts(5, 1, 1, 1)])


def test_a_cohort_without_labels_waits_for_nothing():
    unlabelled = fold(PATIENT, started(PATIENT), Batch(99, steady(range(20)), 39, []))
    assert wrong_of(unlabelled).waiting == ()
    labelled = fold(PATIENT, unlabelled, Batch(99, [], 99, labels_of(1, 15, (5, 1), (1, 1))))
    assert closed(wrong_of(labelled)) == [(1, 10, 19, Counts(5, 1, 1, 1))]


def test_answers_are_what_labels_can_be_of():
    seen = [observed(second, cell(1, 0.05, (19, 4), (2, 1))) for second in range(10)]
    state = fold(PATIENT, started(PATIENT), Batch(99, seen, 99, labels_of(1, 5, (50, 9), (4, 1))))
    assert state.labelled.total() == Counts(150, 50, 10, 4)


def test_what_was_abandoned_has_no_answer_that_a_label_can_be_of():
    seen = [observed(second, cell(1, 0.05, (19, 4, 3), (3, 1, 1))) for second in range(10)]
    state = fold(PATIENT, started(PATIENT), Batch(99, seen, 99, labels_of(1, 5, (50, 9), (4, 1))))
    assert state.labelled.total() == Counts(120, 50, 10, 4)


def test_labels_that_are_alike_count_as_often_as_they_came():
    labels = [Label(1, "stable", True, 2, 2, number=3), Label(1, "canary", False, 2, 2, number=4)]
    state = fold(PATIENT, started(PATIENT), Batch(99, steady(range(10)), 99, labels))
    assert closed(wrong_of(state)) == [(1, 0, 9, Counts(3, 3, 4, 0))]


def test_more_labels_than_answers_say_that_every_answer_got_one():
    """Observations of some answers were lost with their gateway; their labels came all the same."""
    seen = [observed(second, cell(1, 0.05, (2, 1), (2, 1))) for second in range(10)]
    state = fold(PATIENT, started(PATIENT), Batch(99, seen, 99, labels_of(1, 2, (50, 9), (40, 1))))
    assert state.labelled.total() == Counts(10, 5, 10, 5)
    assert closed(wrong_of(state)) == [(1, 0, 9, Counts(50, 9, 40, 1))]


def test_a_cohort_in_which_an_arm_has_no_answer_tells_nothing_of_how_many_get_labels():
    seen = [observed(second, cell(1, 0.05, (9, 0), (1, 1))) for second in range(10)]
    state = fold(PATIENT, started(PATIENT), Batch(99, seen, 99, labels_of(1, 5, (50, 9), (0, 0))))
    assert (state.labelled.closed, state.labelled.peak) == ((), 0)


def test_a_wait_of_part_of_a_second_is_over_with_the_second():
    hasty = BOTH.model_copy(update={"label_wait_seconds": 6.5})
    labels = [label._replace(stored_second=16) for label in labels_of(1, 9, (4, 1), (1, 1))]
    assert fold(hasty, started(hasty), Batch(60, steady(range(10)), 15, labels)).metrics[1].closed == ()
    mature = fold(hasty, started(hasty), Batch(60, steady(range(10)), 16, labels))
    assert closed(wrong_of(mature)) == [(1, 0, 9, Counts(4, 1, 1, 1))]


def test_labels_of_a_block_that_is_dropped_are_not_folded():
    alone = [observed(second, cell(1, 0.05, stable=(5, 5))) for second in range(3)]
    seen = [*alone, *steady(range(3, 30), 2, 0.10)]
    state = fold(PATIENT, started(PATIENT, 0.05, 0.10), Batch(99, seen, 99, labels_of(1, 2, (3, 1), (0, 0))))
    assert state.late_labels == Counts(3, 1, 0, 0)


def test_the_wait_for_labels_goes_on_where_no_metric_needs_them():
    """Thirty seconds behind what was stored, and never ahead of the observations."""
    state = fold(ERRORS, started(ERRORS), Batch(horizon=40, labels_until=50))
    assert state.labels_horizon == 20
    assert fold(ERRORS, state, Batch(horizon=41, labels_until=99)).labels_horizon == 41
