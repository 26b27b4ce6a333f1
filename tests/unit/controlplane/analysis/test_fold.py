"""The fold: what becomes a block, which units count, and that it does not matter how observations were batched."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.analysis.cohorts import Label
from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.fold import Batch, fold
from controlplane.domain.analysis.state import AnalysisState, begin, conclude, enter
from controlplane.domain.analysis.unit_counts import Arrived
from schemas.serving import Observation, UnitEnd
from tests.unit.controlplane.analysis.blocks import closed, error_of, open_blocks, steady, wrong_of
from tests.unit.controlplane.analysis.traffic import BOTH, ERRORS, PATIENT, cell, folded, labels_of, observed, started


def test_a_block_closes_when_a_tick_has_passed():
    nine = folded(ERRORS, started(ERRORS), 8, steady(range(9)))
    assert closed(error_of(nine)) == []
    ten = folded(ERRORS, nine, 9, steady(range(9, 10)))
    assert closed(error_of(ten)) == [(1, 0, 9, Counts(190, 10, 10, 0))]
    assert ten.open == ()


def test_a_block_waits_for_both_arms_past_its_tick():
    alone = [observed(second, cell(1, 0.05, stable=(5, 0))) for second in range(14)]
    waiting = folded(ERRORS, started(ERRORS), 13, alone)
    assert open_blocks(waiting) == [(1, 0, Counts(70, 0, 0, 0))]
    full = folded(ERRORS, waiting, 14, [observed(14, cell(1, 0.05, canary=(1, 1)))])
    assert closed(error_of(full)) == [(1, 0, 14, Counts(70, 0, 1, 1))]


def test_a_tick_passes_without_traffic_too():
    first = folded(ERRORS, started(ERRORS), 0, [observed(0, cell(1, 0.05, (3, 0), (1, 0)))])
    assert closed(error_of(folded(ERRORS, first, 9))) == [(1, 0, 9, Counts(3, 0, 1, 0))]


def test_a_block_is_opened_by_its_first_unit():
    """A second in which nobody was served begins nothing."""
    seen = [observed(0, cell(1, 0.05)), *steady(range(3, 13))]
    assert open_blocks(folded(ERRORS, started(ERRORS), 0, seen)) == []
    state = folded(ERRORS, started(ERRORS), 12, seen)
    assert closed(error_of(state)) == [(1, 3, 12, Counts(190, 10, 10, 0))]
    assert state.steps[0].first_second == 3


def test_all_gateways_make_one_block():
    both = [observed(second, cell(1, 0.05, (2, 0), (1, 1)), boot=boot) for second in range(10) for boot in (1, 2)]
    assert closed(error_of(folded(ERRORS, started(ERRORS), 9, both))) == [(1, 0, 9, Counts(40, 0, 20, 20))]


def test_when_a_generation_is_over_its_open_block_closes_if_both_arms_have_units():
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 5, [*steady(range(3)), *steady(range(3, 6), 2, 0.10)])
    assert closed(error_of(state)) == [(1, 0, 3, Counts(57, 3, 3, 0))]
    assert open_blocks(state) == [(2, 3, Counts(57, 3, 3, 0))]


def test_when_a_generation_is_over_a_block_with_one_arm_is_dropped_and_changes_nothing():
    alone = [observed(second, cell(1, 0.05, stable=(5, 5))) for second in range(3)]
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 5, [*alone, *steady(range(3, 6), 2, 0.10)])
    metric = error_of(state)
    assert state.dropped == Arrived(15, 15)
    assert (metric.closed, metric.forecast, metric.harm_peak, metric.safe) == ((), (0, 0), 0, 0)


def test_what_is_dropped_adds_up_from_fold_to_fold():
    state = started(ERRORS, 0.05, 0.10, 0.25)
    for generation, weight, first in ((1, 0.05, 0), (2, 0.10, 3), (3, 0.25, 6)):
        alone = [observed(first + second, cell(generation, weight, stable=(5, 1))) for second in range(3)]
        state = folded(ERRORS, state, first + 2, alone)
    assert state.dropped == Arrived(30, 6)


def test_a_generation_is_not_over_while_another_gateway_still_serves_it():
    old = [observed(second, cell(1, 0.05, (5, 0)), boot=1) for second in range(6)]
    new = [observed(second, cell(2, 0.10, (5, 0), (1, 0)), boot=2) for second in range(3, 6)]
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 5, [*old, *new])
    assert [block.generation for block in state.open] == [1, 2]


def test_a_generation_is_over_though_an_older_one_is_still_served():
    three = started(ERRORS, 0.05, 0.10, 0.25)
    first = observed(0, cell(1, 0.05, (1, 0), (1, 0)), cell(2, 0.10, (2, 0), (2, 1)), cell(3, 0.25, (3, 0), (3, 0)))
    second = observed(1, cell(1, 0.05, (1, 0), (1, 0)), cell(3, 0.25, (3, 0), (3, 0)))
    state = folded(ERRORS, three, 1, [first, second])
    assert closed(error_of(state)) == [(2, 0, 1, Counts(2, 0, 2, 1))]
    assert open_blocks(state) == [(1, 0, Counts(2, 0, 2, 0)), (3, 0, Counts(6, 0, 6, 0))]


def test_units_at_another_weight_are_recorded_and_never_folded():
    lapsed = [observed(second, cell(1, 0.0, (20, 2), sessions=[("a", "canary", "error")])) for second in range(10)]
    state = folded(ERRORS, started(ERRORS), 9, lapsed)
    assert state.unfolded == Arrived(200, 20, 0, 10, 10, 0)
    assert (state.open, state.sample_ratio_peak, state.steps[0].keys) == ((), 0, ())


def test_generations_that_were_not_entered_are_none_of_its_business():
    state = folded(ERRORS, started(ERRORS), 9, steady(range(10), generation=7))
    assert state == folded(ERRORS, started(ERRORS), 9)


def test_labels_of_another_rollout_s_generation_do_not_hide_those_behind_them():
    labels = [*labels_of(99, 5, (3, 1), (3, 1)), *labels_of(1, 5, (2, 1), (2, 0))]
    state = folded(BOTH, started(BOTH), 9, steady(range(10)), labels)
    assert closed(wrong_of(state)) == [(1, 0, 9, Counts(2, 1, 2, 0))]
    assert state.late_labels == Counts()


def test_a_key_counts_once_per_step_at_its_first_exposure():
    late = observed(1, cell(1, 0.05, sessions=[("a", "canary", "error")]), boot=1)
    first = observed(0, cell(1, 0.05, sessions=[("a", "canary", "ok"), ("b", "stable", "error")]), boot=2)
    again = observed(2, cell(2, 0.10, sessions=[("a", "stable", "error")]))
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 2, [late, again, first])
    assert error_of(state).in_step(0) == Counts(1, 1, 1, 0)
    assert error_of(state).in_step(1) == Counts(1, 1, 0, 0)


def test_in_one_second_the_first_boot_decides_what_a_key_met():
    seen = [
        observed(0, cell(1, 0.05, sessions=[("a", "canary", "error" if boot == 2 else "ok")]), boot=boot)
        for boot in (2, 1)
    ]
    assert error_of(folded(ERRORS, started(ERRORS), 0, seen)).in_step(0) == Counts(0, 0, 1, 0)


def test_a_keys_label_is_the_one_of_its_first_exposure_in_the_step():
    seen = [
        observed(2, cell(1, 0.05, sessions=[("a", "canary", "ok")])),
        observed(3, cell(1, 0.05, (5, 0), sessions=[("a", "canary", "ok")])),
        observed(14, cell(2, 0.10, (5, 0), sessions=[("a", "canary", "ok")])),
    ]
    labels = [
        Label(1, "canary", False, 3, 3, "a" * 32),
        Label(1, "canary", True, 2, 5, "a" * 32),
        Label(2, "canary", True, 14, 14, "a" * 32),
    ]
    state = folded(PATIENT, started(PATIENT, 0.05, 0.10), 99, seen, labels)
    assert wrong_of(state).in_step(0) == Counts(0, 0, 1, 1)
    assert wrong_of(state).in_step(1) == Counts(0, 0, 1, 1)
    assert state.late_labels == Counts()


def test_a_repeat_changes_nothing():
    batch = Batch(12, steady(range(13)), 12, labels_of(1, 3, (9, 1), (1, 1)), lost_boots=("x",))
    once = fold(BOTH, started(BOTH), batch)
    assert fold(BOTH, once, batch) == once


def test_what_lies_beyond_the_horizon_waits():
    everything = steady(range(20))
    early = folded(ERRORS, started(ERRORS), 4, everything)
    assert error_of(early).in_step(0).stable_units == 19 * 5
    assert folded(ERRORS, early, 19, everything) == folded(ERRORS, started(ERRORS), 19, everything)


def test_the_horizon_never_goes_back():
    state = folded(ERRORS, started(ERRORS), 20)
    assert folded(ERRORS, state, 7).horizon == 20


def test_nothing_is_folded_after_harm_or_safe():
    state = conclude(started(ERRORS), "HARM")
    assert folded(ERRORS, state, 9, steady(range(10))) == state
    held = conclude(started(ERRORS), "INCONCLUSIVE")
    assert folded(ERRORS, held, 9, steady(range(10))).horizon == 9


def test_harm_stays_shown_when_one_fold_covers_its_peak_and_its_fall():
    bad = [observed(second, cell(1, 0.05, (20, 0), (5, 5))) for second in range(10)]
    good = [observed(second, cell(1, 0.05, (20, 5), (200, 0))) for second in range(10, 40)]
    metric = error_of(folded(ERRORS, started(ERRORS), 39, [*bad, *good]))
    assert metric.harm_now() < metric.harm_peak


@pytest.mark.parametrize(
    ("generation", "step", "weight", "field"),
    [(2, 0, 0.0, "weight"), (2, 0, 1.0, "weight"), (1, 0, 0.05, "generation"), (2, -1, 0.05, "step")],
)
def test_a_generation_that_makes_no_sense_is_refused(generation: int, step: int, weight: float, field: str):
    with pytest.raises(ValueError, match=f"{field} is {weight if field == 'weight' else ''}"):
        enter(started(ERRORS), generation, step, weight)


def test_the_same_step_may_get_weight_again_under_a_new_generation():
    state = enter(folded(ERRORS, started(ERRORS), 9, steady(range(10))), 5, 0, 0.05)
    state = folded(ERRORS, state, 19, steady(range(10, 20), 5))
    assert error_of(state).in_step(0) == Counts(380, 20, 20, 0)
    assert [step.step for step in state.steps] == [0]


def test_a_key_that_its_step_has_met_does_not_count_again_under_a_new_generation():
    met = observed(0, cell(1, 0.05, sessions=[("a", "canary", "error")]))
    state = enter(folded(ERRORS, started(ERRORS), 0, [met]), 2, 0, 0.05)
    again = observed(1, cell(2, 0.05, sessions=[("a", "canary", "error"), ("b", "canary", "ok")]))
    state = folded(ERRORS, state, 1, [again])
    assert error_of(state).in_step(0) == Counts(0, 0, 2, 1)
    assert state.steps[0].first_second == 0


def test_a_generation_is_over_though_its_successor_was_met_in_an_earlier_fold():
    both = observed(0, cell(1, 0.05, (3, 0), (1, 0)), cell(2, 0.10, (2, 0), (1, 0)))
    state = folded(ERRORS, folded(ERRORS, started(ERRORS, 0.05, 0.10), 0, [both]), 1)
    assert closed(error_of(state)) == [(1, 0, 1, Counts(3, 0, 1, 0))]
    assert open_blocks(state) == [(2, 0, Counts(2, 0, 1, 0))]


ENDS: tuple[UnitEnd, ...] = ("ok", "ok", "ok", "ok", "ok", "error", "abandoned")


def ended(random: Random, units: int) -> tuple[int, int, int]:
    errors = random.randrange(units + 1)
    return units, errors, random.randrange(units - errors + 1)


def random_traffic(seed: int) -> tuple[list[Observation], list[Label]]:
    """Two gateways, three generations, users, lapsed leases, seconds without traffic, labels that come late."""
    random = Random(seed)
    weights = (0.05, 0.10, 0.25)
    observations, labels = [], []
    for second in range(80):
        for boot in (1, 2):
            generation = min(3, 1 + (second + random.randrange(6)) // 27)
            weight = weights[generation - 1] if random.random() < 0.95 else 0.0
            arms = [ended(random, units) for units in (random.randrange(8), random.randrange(3))]
            sessions = [
                (random.choice("0123456789abcdef"), random.choice(("stable", "canary")), random.choice(ENDS))
                for _ in range(random.randrange(3))
            ]
            if random.random() < 0.9:
                observations.append(observed(second, cell(generation, weight, *arms, sessions), boot=boot))
            if random.random() < 0.5:
                key = random.choice([None, None, "a", "b", "c"])
                stored = second + int(random.expovariate(0.1))
                arm = random.choice(("stable", "canary"))
                full_key = key and key * 32
                labels.append(Label(generation, arm, random.random() < 0.3, second, stored, full_key))
    return observations, labels


HASTY = BOTH.model_copy(update={"label_wait_seconds": 7.0})
"""Some labels of the random traffic are late."""


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.sets(st.integers(0, 88)), keep=st.booleans(), through_json=st.booleans())
def test_the_same_observations_give_the_same_state_bit_for_bit(
    seed: int, cuts: set[int], keep: bool, through_json: bool
):
    observations, labels = random_traffic(seed)
    at_once = folded(HASTY, started(HASTY, 0.05, 0.10, 0.25), 89, observations, labels)
    Random(seed).shuffle(observations)
    Random(seed).shuffle(labels)
    state = started(HASTY, 0.05, 0.10, 0.25)
    for horizon in [*sorted(cuts), 89]:
        due = [entry for entry in observations if keep or state.horizon < entry.second <= horizon]
        state = folded(HASTY, state, horizon, due, labels)
        if through_json:
            state = AnalysisState.model_validate(json.loads(json.dumps(state.model_dump(mode="json"))))
    assert state.model_dump_json() == at_once.model_dump_json()
    assert state == at_once


def test_labels_and_arrivals_may_advance_at_different_paces():
    observations, labels = random_traffic(7)
    state = started(HASTY, 0.05, 0.10, 0.25)
    for horizon, labels_until in ((10, -1), (10, 40), (60, 41), (89, 89)):
        state = fold(HASTY, state, Batch(horizon, observations, labels_until, labels))
    assert state == folded(HASTY, started(HASTY, 0.05, 0.10, 0.25), 89, observations, labels)


def test_a_state_goes_through_json_and_back_bit_for_bit():
    observations, labels = random_traffic(3)
    state = folded(BOTH, started(BOTH, 0.05, 0.10, 0.25), 89, observations, labels)
    text = json.dumps(state.model_dump(mode="json"))
    again = AnalysisState.model_validate(json.loads(text))
    assert again == state
    assert json.dumps(again.model_dump(mode="json")) == text
    assert AnalysisState.model_validate_json(state.model_dump_json()) == state


def test_a_state_before_any_traffic_goes_through_json_too():
    state = begin(BOTH, 1_750_000_000.125)
    assert AnalysisState.model_validate(json.loads(json.dumps(state.model_dump(mode="json")))) == state
