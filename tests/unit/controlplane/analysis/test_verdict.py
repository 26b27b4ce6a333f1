"""Each rule of the verdict planted, the order in which they are asked, and when a step may be left."""

from math import log

import pytest

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.fold import Batch, fold
from controlplane.domain.analysis.state import AnalysisState, MetricState, begin, enter
from controlplane.domain.analysis.unit_counts import Arrived
from controlplane.domain.analysis.verdict import Assessment, assess, e_value, invalid_for_good, next_step
from schemas.rollouts import CanaryPolicy
from tests.unit.controlplane.analysis.traffic import BOTH, ERRORS, cell, folded, labels_of, observed, started

LAST = (0.05, 0.10, 0.25, 0.50)


def judged(policy: CanaryPolicy, state: AnalysisState, now: float | None = None) -> Assessment:
    at = state.horizon + 1 if now is None else now
    return assess(policy, state, float(at), last_heard=float(at))


def with_evidence(state: AnalysisState, name: str, **evidence: object) -> AnalysisState:
    def planted(metric: MetricState) -> MetricState:
        return metric.model_copy(update=evidence) if metric.name == name else metric

    return state.model_copy(update={"metrics": tuple(planted(metric) for metric in state.metrics)})


def at_last_step(policy: CanaryPolicy, seconds: int = 60, units: int = 5) -> AnalysisState:
    """In the 50 % step with healthy traffic on both arms, for that many seconds."""
    state = started(policy, *LAST)
    seen = [observed(second, cell(4, 0.5, (units, 0), (units, 0))) for second in range(seconds)]
    labels = [label for second in range(seconds) for label in labels_of(4, second, (units, 1), (units, 1))]
    return folded(policy, state, seconds - 1, seen, labels)


def proven(state: AnalysisState) -> AnalysisState:
    return with_evidence(with_evidence(state, "error", safe=log(20.0)), "wrong", safe=log(20.0))


def at_first_step(policy: CanaryPolicy, seconds: int, canary: int = 1) -> AnalysisState:
    seen = [observed(second, cell(1, 0.05, (19, 0), (canary, 0))) for second in range(seconds)]
    labels = [label for second in range(seconds) for label in labels_of(1, second, (19, 3), (canary, 0))]
    return folded(policy, started(policy), seconds - 1, seen, labels)


def test_harm_is_one_over_its_share_of_alpha():
    """Two metrics share 0.04: each needs an e-value of 50."""
    state = at_first_step(BOTH, 9)
    assert judged(BOTH, with_evidence(state, "wrong", harm_peak=log(49.9))).verdict is None
    found = judged(BOTH, with_evidence(state, "wrong", harm_peak=log(50.1)))
    assert (found.verdict, found.rule) == ("HARM", "harm")
    assert "`wrong`" in found.reason
    one = with_evidence(at_first_step(ERRORS, 9), "error", harm_peak=log(25.0))
    assert judged(ERRORS, one).verdict == "HARM", "as much as is needed is enough"


def test_a_canary_that_always_fails_is_harm_after_its_first_block():
    seen = [observed(second, cell(1, 0.05, (48, 0), (2, 2))) for second in range(10)]
    assert judged(ERRORS, folded(ERRORS, started(ERRORS), 9, seen)).verdict == "HARM"


def test_safe_at_the_last_step_needs_evidence_on_every_metric():
    state = at_last_step(BOTH)
    assert judged(BOTH, proven(state)).verdict == "SAFE"
    assert judged(BOTH, with_evidence(proven(state), "wrong", safe=log(19.9))).verdict is None
    assert judged(BOTH, with_evidence(proven(state), "error", safe=log(19.9))).verdict is None


def test_safe_says_what_is_proven_of_each_metric():
    state = with_evidence(with_evidence(at_last_step(BOTH), "error", safe=log(21.0)), "wrong", safe=log(34.0))
    assert judged(BOTH, state).reason == (
        "the canary is less than 0.01 worse in `error` (21) and less than 0.05 worse in `wrong` (34): "
        "evidence of 20 was needed"
    )


def test_safe_is_never_said_before_the_last_step():
    assert judged(BOTH, proven(at_first_step(BOTH, 120))).verdict is None


def test_the_last_step_too_must_last_and_fill_before_it_is_left_by_promotion():
    assert judged(BOTH, proven(at_last_step(BOTH, seconds=59))).verdict is None
    assert judged(BOTH, proven(at_last_step(BOTH, seconds=60))).verdict == "SAFE"
    ladder = next_step(BOTH, at_last_step(BOTH, seconds=60))
    assert (ladder.step, ladder.weight, ladder.last, ladder.may_leave) == (3, 0.5, True, True)
    assert ladder.reason == "the last step is left by promotion only"


def test_safe_is_of_the_present_evidence():
    fallen = with_evidence(proven(at_last_step(BOTH)), "error", safe=log(3.0))
    assert judged(BOTH, fallen).verdict is None


def test_harm_is_asked_before_safe():
    """Between 0 and the margin both are true."""
    both = with_evidence(proven(at_last_step(BOTH)), "error", harm_peak=log(51))
    assert judged(BOTH, both).verdict == "HARM"


def labelled_with(state: AnalysisState, **evidence: object) -> AnalysisState:
    return state.model_copy(update={"labelled": state.labelled.model_copy(update=evidence)})


@pytest.mark.parametrize("direction", ["more", "fewer"])
def test_nothing_is_promoted_while_labels_may_be_chosen(direction: str):
    """Twelve odds ratios share the bet: one direction alone at 20 to 1 is ten to one in all."""
    ready = proven(at_last_step(BOTH))
    held = judged(BOTH, labelled_with(ready, **{direction: (log(40.0),) * 6}))
    assert (held.verdict, held.ladder.may_leave) == (None, False)
    assert "labels may not come equally often for both arms" in held.reason
    assert judged(BOTH, labelled_with(ready, **{direction: (log(38.0),) * 6})).verdict == "SAFE"
    just = labelled_with(ready, more=(log(20.0),) * 6, fewer=(log(20.0),) * 6)
    assert judged(BOTH, just).verdict is None, "as much as may be is too much"
    fallen = labelled_with(ready, peak=log(900.0))
    assert judged(BOTH, fallen).verdict == "SAFE", "it is asked of the present evidence"


def test_unequal_labels_hold_the_last_step_alone():
    """The earlier steps gather what decides it; and the harm that labels show is believed."""
    doubted = labelled_with(at_first_step(BOTH, 120), fewer=(log(1e3),) * 6)
    assert judged(BOTH, doubted).ladder.may_leave
    harmful = with_evidence(labelled_with(at_last_step(BOTH), fewer=(log(1e3),) * 6), "wrong", harm_peak=log(51))
    assert judged(BOTH, harmful).verdict == "HARM"


def test_a_wrong_sample_ratio_is_invalid_and_promotes_nothing():
    state = proven(at_last_step(BOTH)).model_copy(update={"sample_ratio_peak": log(1001)})
    found = judged(BOTH, state)
    assert (found.verdict, found.rule, found.ends_by_itself) == ("INVALID", "sample_ratio", False)
    assert not found.ladder.may_leave


def test_as_much_evidence_as_is_needed_is_enough_against_a_split():
    state = at_last_step(BOTH)
    assert judged(BOTH, state.model_copy(update={"sample_ratio_peak": log(999.9)})).verdict is None
    found = judged(BOTH, state.model_copy(update={"sample_ratio_peak": log(1000.0)}))
    assert found.rule == "sample_ratio"
    assert found.reason == ("units did not reach the arms in the ratio of the applied weight (1,000 to 1 against it)")


def labelled_in_part(stable: int, canary: int) -> AnalysisState:
    """So many of five answers of each arm get a label, every second for a minute of the last step."""
    seen = [observed(second, cell(4, 0.5, (5, 0), (5, 0))) for second in range(60)]
    labels = [label for second in range(60) for label in labels_of(4, second, (stable, 0), (canary, 0))]
    return folded(BOTH, started(BOTH, *LAST), 59, seen, labels)


@pytest.mark.parametrize(
    ("stable", "canary", "said"),
    [
        (5, 2, "100.0% of the stable version's answers and for 40.0% of the canary's"),
        (1, 4, "20.0% of the stable version's answers and for 80.0% of the canary's"),
    ],
    ids=["fewer of the canary's", "more of the canary's"],
)
def test_labels_that_come_less_often_for_one_arm_are_invalid(stable: int, canary: int, said: str):
    """Whoever labels may have chosen what to label: the rates of the rest say nothing of the versions."""
    found = judged(BOTH, proven(labelled_in_part(stable, canary)))
    assert (found.verdict, found.rule, found.ends_by_itself) == ("INVALID", "labelled_share", False)
    assert found.reason.startswith(f"within 0 s labels came for {said} (")
    assert found.reason.endswith(" to 1 against equal shares): what is missing may be what differs")
    assert not found.ladder.may_leave


def test_labels_that_come_equally_often_are_believed_however_few():
    assert judged(BOTH, proven(labelled_in_part(2, 2))).verdict == "SAFE"


def test_as_much_evidence_as_is_needed_is_enough_against_labels():
    state = proven(at_last_step(BOTH))
    assert judged(BOTH, labelled_with(state, peak=log(999.9))).verdict == "SAFE"
    assert judged(BOTH, labelled_with(state, peak=log(1000.0))).rule == "labelled_share"


def test_without_a_metric_that_needs_labels_they_are_not_asked_for():
    found = judged(ERRORS, labelled_with(at_first_step(ERRORS, 9), peak=log(1e6)))
    assert (found.verdict, found.labelled) == (None, None)


def test_a_gateway_that_splits_wrongly_is_found_by_folding_what_it_sends():
    seen = [observed(second, cell(1, 0.05, (45, 0), (5, 0))) for second in range(60)]
    assert judged(ERRORS, folded(ERRORS, started(ERRORS), 59, seen)).rule == "sample_ratio"


def test_a_sample_ratio_once_found_wrong_stays_wrong():
    split = [observed(second, cell(1, 0.05, (45, 0), (5, 0))) for second in range(60)]
    made_up = [observed(60 + second, cell(1, 0.05, (100, 0))) for second in range(30)]
    state = folded(ERRORS, started(ERRORS), 89, [*split, *made_up])
    assert state.sample_ratio_log_e() < 0
    assert judged(ERRORS, state).rule == "sample_ratio"


def test_two_lost_boots_are_invalid_and_one_is_not():
    state = fold(ERRORS, at_first_step(ERRORS, 9), Batch(9, lost_boots=["a", "a"]))
    assert judged(ERRORS, state).verdict is None
    found = judged(ERRORS, fold(ERRORS, state, Batch(9, lost_boots=["b"])))
    assert (found.verdict, found.rule, found.ends_by_itself) == ("INVALID", "lost_boots", False)


def test_harm_is_asked_before_an_invalid_analysis():
    state = fold(ERRORS, at_first_step(ERRORS, 9), Batch(9, lost_boots=["a", "b"]))
    assert judged(ERRORS, with_evidence(state, "error", harm_peak=log(26))).verdict == "HARM"


def test_a_silent_provider_is_invalid_until_it_speaks():
    state = proven(at_last_step(BOTH))
    found = assess(BOTH, state, now=160.0, last_heard=100.0)
    assert (found.verdict, found.rule, found.ends_by_itself) == ("INVALID", "provider_silence", True)
    assert assess(BOTH, state, now=160.0, last_heard=100.1).verdict == "SAFE"


def test_silence_is_counted_from_the_start_when_nothing_was_ever_heard():
    state = started(ERRORS).model_copy(update={"started_at": 1000.0})
    assert assess(ERRORS, state, now=1059.0, last_heard=None).verdict is None
    assert assess(ERRORS, state, now=1060.0, last_heard=None).rule == "provider_silence"
    assert assess(ERRORS, state, now=1059.0, last_heard=10.0).verdict is None


def test_only_what_no_new_evidence_can_mend_is_invalid_for_good():
    """It is asked of counts, never of the clock: silence ends as soon as a gateway speaks."""
    silent = started(BOTH)
    assert assess(BOTH, silent, now=60.0, last_heard=None).rule == "provider_silence"
    assert not invalid_for_good(BOTH, silent)
    state = at_last_step(BOTH)
    assert not invalid_for_good(BOTH, state)
    assert invalid_for_good(BOTH, state.model_copy(update={"sample_ratio_peak": log(1000.0)}))
    assert invalid_for_good(BOTH, fold(BOTH, state, Batch(59, lost_boots=["a", "b"])))
    assert invalid_for_good(BOTH, labelled_with(state, peak=log(1000.0)))
    assert not invalid_for_good(ERRORS, labelled_with(at_first_step(ERRORS, 9), peak=log(1000.0)))


def test_the_maximum_duration_is_counted_from_the_start():
    state = started(ERRORS).model_copy(update={"started_at": 1000.0})
    assert judged(ERRORS, state, now=1000.0 + ERRORS.max_seconds - 1).rule == "none"
    assert judged(ERRORS, state, now=1000.0 + ERRORS.max_seconds).rule == "max_duration"


def test_the_maximum_duration_is_inconclusive():
    state = at_last_step(BOTH)
    assert judged(BOTH, state, now=BOTH.max_seconds - 1).verdict is None
    found = judged(BOTH, state, now=BOTH.max_seconds)
    assert (found.verdict, found.rule) == ("INCONCLUSIVE", "max_duration")


@pytest.mark.parametrize("on_inconclusive", ["hold", "rollback", "promote"])
def test_a_timer_never_says_safe(on_inconclusive: str):
    policy = BOTH.model_copy(update={"on_inconclusive": on_inconclusive})
    assert judged(policy, at_last_step(policy), now=1e9).verdict == "INCONCLUSIVE"


def test_a_step_may_be_left_after_its_seconds_and_units():
    assert not next_step(BOTH, at_first_step(BOTH, 59)).may_leave
    ladder = next_step(BOTH, at_first_step(BOTH, 60))
    assert (ladder.may_leave, ladder.last, ladder.step, ladder.weight) == (True, False, 0, 0.05)
    assert ladder.reason == "the step may be left"


def test_before_its_first_generation_a_rollout_is_in_its_first_step():
    ladder = next_step(ERRORS, begin(ERRORS, started_at=0.0))
    assert (ladder.step, ladder.weight, ladder.may_leave) == (0, 0.05, False)
    assert ladder.reason == ("step 1 of 4 waits: 0 of 60 s are observed; `error` has 0 of 30 units on its smaller arm")


def test_a_step_behind_the_ladder_s_end_is_its_last():
    ladder = next_step(ERRORS, enter(at_first_step(ERRORS, 60), 2, 4, 0.5))
    assert (ladder.step, ladder.weight, ladder.last) == (4, 0.5, True)


def test_a_step_waits_for_units_on_the_smaller_arm_of_every_metric():
    seen = [observed(second, cell(1, 0.05, (19, 0), (1, 0))) for second in range(60)]
    few = folded(BOTH, started(BOTH), 59, seen, labels_of(1, 30, (400, 0), (29, 0)))
    ladder = next_step(BOTH, few)
    assert not ladder.may_leave
    assert "`wrong` has 29 of 30" in ladder.reason
    more = [observed(second, cell(1, 0.05, (19, 0), (1, 0))) for second in range(60, 70)]
    assert next_step(BOTH, folded(BOTH, few, 69, more, labels_of(1, 65, (9, 0), (1, 0)))).may_leave


def test_a_step_is_not_left_on_harm():
    assert not next_step(BOTH, with_evidence(at_first_step(BOTH, 60), "error", harm_peak=log(50.1))).may_leave


def test_each_step_counts_its_own_seconds_and_units():
    state = enter(at_first_step(BOTH, 60), 2, 1, 0.10)
    ladder = next_step(BOTH, state)
    assert (ladder.step, ladder.weight, ladder.may_leave) == (1, 0.10, False)
    assert "0 of 60 s" in ladder.reason


def test_a_provider_that_stands_still_moves_no_ladder():
    """Arrival time counts, however long the clock on the wall has run."""
    state = at_first_step(BOTH, 59)
    assert not assess(BOTH, state, now=5000.0, last_heard=4999.0).ladder.may_leave


def test_an_assessment_shows_what_it_was_made_of():
    state = at_last_step(BOTH).model_copy(
        update={"started_at": -7.0, "unfolded": Arrived(3, 1, 0, 2, 0, 1), "late_labels": Counts(1, 1, 2, 0)}
    )
    found = judged(BOTH, state)
    assert (found.seconds, found.unfolded) == (67.0, Arrived(3, 1, 0, 2, 0, 1))
    assert (found.arrived, found.sample_ratio) == (state.arrived, state.sample_ratio_peak)
    assert found.sample_ratio_needed == pytest.approx(log(1000))
    assert found.labelled is not None
    assert (found.labelled.counts, found.labelled.late) == (Counts(300, 300, 300, 300), Counts(1, 1, 2, 0))
    assert (found.labelled.peak, found.labelled.now) == (state.labelled.peak, state.labelled.now())
    error, wrong = found.metrics
    assert (error.counts, error.blocks, error.in_step) == (Counts(300, 0, 300, 0), 6, Counts(300, 0, 300, 0))
    assert (wrong.counts, wrong.margin, error.margin) == (Counts(300, 60, 300, 60), 0.05, 0.01)
    assert (error.harm, error.harm_peak, error.safe) == (
        state.metrics[0].harm_now(),
        state.metrics[0].harm_peak,
        state.metrics[0].safe,
    )


def test_the_dispersion_shown_is_the_last_and_the_largest():
    state = at_last_step(BOTH, seconds=30)
    blocks = state.metrics[0].closed
    uneven = [block._replace(phi=phi) for block, phi in zip(blocks, (1.5, 2.5, 0.5), strict=True)]
    error = judged(BOTH, with_evidence(state, "error", closed=tuple(uneven))).metrics[0]
    assert (error.phi, error.phi_peak) == (0.5, 2.5)
    nothing = judged(BOTH, with_evidence(state, "wrong", closed=())).metrics[1]
    assert (nothing.phi, nothing.phi_peak) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("log_e", "read"),
    [
        (-5000.0, "< 0.001"),
        (log(0.00009), "< 0.001"),
        (log(0.001), "0.001"),
        (log(0.01234), "0.0123"),
        (0.0, "1"),
        (log(22.61), "22.6"),
        (log(50), "50"),
        (log(999.4), "999"),
        (log(999.6), "1,000"),
        (log(1424), "1,420"),
        (log(999_000), "999,000"),
        (log(999_900), "1,000,000"),
        (log(1e6), "10^6.0"),
        (log(2e6), "10^6.3"),
        (5000.0, "10^2171.5"),
    ],
)
def test_e_values_can_be_read_also_beyond_floats(log_e: float, read: str):
    assert e_value(log_e) == read
