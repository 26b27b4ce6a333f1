"""When an imagined rollout is over though nothing has decided it, and what is told of it then."""

from dataclasses import replace

from controlplane.simulation.scenario import Outage
from controlplane.simulation.scenarios import SCENARIOS
from controlplane.simulation.trial import run
from schemas.rollouts import CanaryPolicy

EQUAL = SCENARIOS["equal"]
SHORT = CanaryPolicy(max_seconds=20, provider_silence_seconds=10)


def test_a_rollout_that_is_cut_at_so_many_units_ends_undecided_as_soon_as_they_are_counted() -> None:
    cut = run(CanaryPolicy(), replace(EQUAL, stop_at_units=50), seed=1)
    assert (cut.result, cut.rule) == ("UNDECIDED", "none")
    assert 50 <= cut.canary_units < 100
    assert run(CanaryPolicy(), replace(EQUAL, stop_at_units=cut.canary_units), seed=1) == cut


def test_a_provider_that_is_silent_at_the_end_keeps_no_rollout_for_ever() -> None:
    """It is INVALID, so that nobody asks whether its time is over."""
    silent = run(SHORT, replace(EQUAL, outages=(Outage(0, 999),)), seed=1)
    assert (silent.result, silent.second, silent.interrupted) == ("UNDECIDED", 31, True)


def test_a_rollout_without_a_verdict_ends_with_its_time() -> None:
    spoken = run(SHORT, EQUAL, seed=1)
    assert (spoken.result, spoken.rule, spoken.second) == ("INCONCLUSIVE", "max_duration", 20)


def test_a_world_is_cut_before_the_policy_s_own_time() -> None:
    cut = run(CanaryPolicy(), replace(EQUAL, seconds=30), seed=1)
    assert (cut.result, cut.rule, cut.second) == ("INCONCLUSIVE", "max_duration", 30)
