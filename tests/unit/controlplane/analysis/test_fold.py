"""The fold: what becomes a block, which units count, and that it does not matter how observations were batched."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controlplane.domain.analysis.eprocess import Counts
from controlplane.domain.analysis.fold import Batch, Label, fold
from controlplane.domain.analysis.state import AnalysisState, Block, OpenBlock, begin, conclude, enter
from schemas.serving import Observation
from tests.unit.controlplane.analysis.traffic import BOTH, ERRORS, cell, folded, labels_of, observed, started


def error_of(state: AnalysisState):
    return next(metric for metric in state.metrics if metric.name == "error")


def wrong_of(state: AnalysisState):
    return next(metric for metric in state.metrics if metric.name == "wrong")


def steady(seconds: range, generation: int = 1, weight: float = 0.05) -> list[Observation]:
    return [observed(second, cell(generation, weight, (19, 1), (1, 0))) for second in seconds]


def test_a_block_closes_when_a_tick_has_passed():
    nine = folded(ERRORS, started(ERRORS), 8, steady(range(9)))
    assert error_of(nine).closed == ()
    ten = folded(ERRORS, nine, 9, steady(range(9, 10)))
    assert error_of(ten).closed == (Block(1, 0, 9, Counts(190, 10, 10, 0)),)
    assert error_of(ten).open == ()


def test_a_block_waits_for_both_arms_past_its_tick():
    alone = [observed(second, cell(1, 0.05, stable=(5, 0))) for second in range(14)]
    waiting = folded(ERRORS, started(ERRORS), 13, alone)
    assert error_of(waiting).open == (OpenBlock(1, 0, Counts(70, 0, 0, 0)),)
    closed = folded(ERRORS, waiting, 14, [observed(14, cell(1, 0.05, canary=(1, 1)))])
    assert error_of(closed).closed == (Block(1, 0, 14, Counts(70, 0, 1, 1)),)


def test_a_tick_passes_without_traffic_too():
    first = folded(ERRORS, started(ERRORS), 0, [observed(0, cell(1, 0.05, (3, 0), (1, 0)))])
    assert error_of(folded(ERRORS, first, 9)).closed == (Block(1, 0, 9, Counts(3, 0, 1, 0)),)


def test_all_gateways_make_one_block():
    both = [observed(second, cell(1, 0.05, (2, 0), (1, 1)), boot=boot) for second in range(10) for boot in (1, 2)]
    assert error_of(folded(ERRORS, started(ERRORS), 9, both)).closed == (Block(1, 0, 9, Counts(40, 0, 20, 20)),)


def test_when_a_generation_is_over_its_open_block_closes_if_both_arms_have_units():
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 5, [*steady(range(3)), *steady(range(3, 6), 2, 0.10)])
    assert error_of(state).closed == (Block(1, 0, 3, Counts(57, 3, 3, 0)),)
    assert error_of(state).open == (OpenBlock(2, 3, Counts(57, 3, 3, 0)),)


def test_when_a_generation_is_over_a_block_with_one_arm_is_dropped_and_changes_nothing():
    alone = [observed(second, cell(1, 0.05, stable=(5, 5))) for second in range(3)]
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 5, [*alone, *steady(range(3, 6), 2, 0.10)])
    metric = error_of(state)
    assert metric.dropped == Counts(15, 15, 0, 0)
    assert (metric.closed, metric.forecast, metric.harm_peak, metric.safe) == ((), (0, 0), 0, 0)


def test_a_generation_is_not_over_while_another_gateway_still_serves_it():
    old = [observed(second, cell(1, 0.05, (5, 0)), boot=1) for second in range(6)]
    new = [observed(second, cell(2, 0.10, (5, 0), (1, 0)), boot=2) for second in range(3, 6)]
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 5, [*old, *new])
    assert [block.generation for block in error_of(state).open] == [1, 2]


def test_units_at_another_weight_are_recorded_and_never_folded():
    lapsed = [observed(second, cell(1, 0.0, (20, 2), sessions=[("a", "canary", True)])) for second in range(10)]
    state = folded(ERRORS, started(ERRORS), 9, lapsed)
    assert state.unfolded == Counts(200, 20, 10, 10)
    assert (error_of(state).open, state.sample_ratio_peak, state.steps[0].keys) == ((), 0, ())


def test_generations_that_were_not_entered_are_none_of_its_business():
    state = folded(ERRORS, started(ERRORS), 9, steady(range(10), generation=7))
    assert state == folded(ERRORS, started(ERRORS), 9)


def test_a_key_counts_once_per_step_at_its_first_exposure():
    late = observed(1, cell(1, 0.05, sessions=[("a", "canary", True)]), boot=1)
    first = observed(0, cell(1, 0.05, sessions=[("a", "canary", False), ("b", "stable", True)]), boot=2)
    again = observed(2, cell(2, 0.10, sessions=[("a", "stable", True)]))
    state = folded(ERRORS, started(ERRORS, 0.05, 0.10), 2, [late, again, first])
    assert error_of(state).in_step(0) == Counts(1, 1, 1, 0)
    assert error_of(state).in_step(1) == Counts(1, 1, 0, 0)


def test_in_one_second_the_first_boot_decides_what_a_key_met():
    seen = [observed(0, cell(1, 0.05, sessions=[("a", "canary", boot == 2)]), boot=boot) for boot in (2, 1)]
    assert error_of(folded(ERRORS, started(ERRORS), 0, seen)).in_step(0) == Counts(0, 0, 1, 0)


def test_a_key_is_labelled_once_per_step():
    labels = [
        Label(1, "canary", True, 3.0, "a"),
        Label(1, "canary", False, 2.0, "a"),
        Label(2, "canary", True, 4.0, "a"),
    ]
    state = folded(BOTH, started(BOTH, 0.05, 0.10), 9, labels=labels)
    assert wrong_of(state).in_step(0) == Counts(0, 0, 1, 0)
    assert wrong_of(state).in_step(1) == Counts(0, 0, 1, 1)


def test_labels_make_blocks_of_their_own_by_storing_time():
    labels = [*labels_of(1, 100, (4, 1), (1, 1)), *labels_of(1, 109, (5, 0), (0, 0))]
    state = fold(BOTH, started(BOTH), Batch(9, steady(range(10)), 109, labels))
    assert wrong_of(state).closed == (Block(1, 100, 109, Counts(9, 1, 1, 1)),)
    assert error_of(state).closed == (Block(1, 0, 9, Counts(190, 10, 10, 0)),)


def test_a_late_label_belongs_to_the_generation_that_served_it():
    state = started(BOTH, 0.05, 0.10)
    state = folded(BOTH, state, 50, labels=labels_of(2, 40, (2, 0), (0, 0)))
    state = folded(BOTH, state, 70, labels=[*labels_of(1, 60, (3, 0), (1, 0)), *labels_of(2, 65, (0, 0), (1, 1))])
    assert wrong_of(state).closed == (Block(2, 40, 65, Counts(2, 0, 1, 1)), Block(1, 60, 69, Counts(3, 0, 1, 0)))


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
    assert metric.harm_now() < 0 < metric.harm_peak


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


def random_traffic(seed: int) -> tuple[list[Observation], list[Label]]:
    """Two gateways, three generations, users, lapsed leases, seconds without traffic, labels that come late."""
    random = Random(seed)
    weights = (0.05, 0.10, 0.25)
    observations, labels = [], []
    for second in range(80):
        for boot in (1, 2):
            generation = min(3, 1 + (second + random.randrange(6)) // 27)
            weight = weights[generation - 1] if random.random() < 0.95 else 0.0
            arms = [(units, random.randrange(units + 1)) for units in (random.randrange(8), random.randrange(3))]
            sessions = [
                (random.choice("0123456789abcdef"), random.choice(("stable", "canary")), random.random() < 0.2)
                for _ in range(random.randrange(3))
            ]
            if random.random() < 0.9:
                observations.append(observed(second, cell(generation, weight, *arms, sessions), boot=boot))
            if random.random() < 0.5:
                key = random.choice([None, None, "a", "b", "c"])
                stored_at = second + random.expovariate(0.1)
                arm = random.choice(("stable", "canary"))
                labels.append(Label(generation, arm, random.random() < 0.3, stored_at, key))
    return observations, labels


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=st.sets(st.integers(0, 88)), keep=st.booleans(), through_json=st.booleans())
def test_the_same_observations_give_the_same_state_bit_for_bit(
    seed: int, cuts: set[int], keep: bool, through_json: bool
):
    observations, labels = random_traffic(seed)
    at_once = folded(BOTH, started(BOTH, 0.05, 0.10, 0.25), 89, observations, labels)
    Random(seed).shuffle(observations)
    Random(seed).shuffle(labels)
    state = started(BOTH, 0.05, 0.10, 0.25)
    for horizon in [*sorted(cuts), 89]:
        due = [entry for entry in observations if keep or state.horizon < entry.second <= horizon]
        state = folded(BOTH, state, horizon, due, labels)
        if through_json:
            state = AnalysisState.model_validate(json.loads(json.dumps(state.model_dump(mode="json"))))
    assert state.model_dump_json() == at_once.model_dump_json()
    assert state == at_once


def test_labels_and_arrivals_may_advance_at_different_paces():
    observations, labels = random_traffic(7)
    state = started(BOTH, 0.05, 0.10, 0.25)
    for horizon, labels_until in ((10, -1), (10, 40), (60, 41), (89, 89)):
        state = fold(BOTH, state, Batch(horizon, observations, labels_until, labels))
    assert state == folded(BOTH, started(BOTH, 0.05, 0.10, 0.25), 89, observations, labels)


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
