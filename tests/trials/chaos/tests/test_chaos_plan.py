"""The plan of a chaos round: the same for the same seed, and over many seeds nothing is left out."""

import itertools
from typing import get_args

import pytest

from schemas.jobs import JOB_KINDS
from tests.trials.chaos.faults import FAULTS
from tests.trials.chaos.journeys import JOURNEYS
from tests.trials.chaos.plan import (
    LEASE_SECONDS,
    LONGEST_PARTITION,
    PARTS,
    TOPOLOGIES,
    Action,
    Topology,
    choose_sample,
    plan_round,
)

SEEDS = range(1, 201)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_seed_is_a_plan(topology: Topology) -> None:
    assert [plan_round(seed, topology) for seed in SEEDS] == [plan_round(seed, topology) for seed in SEEDS]
    assert len({tuple(plan_round(seed, topology).lines()) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_two_hundred_seeds_do_everything_to_every_part(topology: Topology) -> None:
    faults = [fault for seed in SEEDS for fault in plan_round(seed, topology).faults]
    done = {(fault.action, fault.part) for fault in faults}
    assert done >= set(itertools.product(("kill", "stop", "restart"), PARTS[topology]))
    assert {action for action, _ in done} == set(get_args(Action))
    stops = [fault.seconds for fault in faults if fault.action == "stop"]
    assert min(stops) < LEASE_SECONDS < max(stops), "some sleep through their lease, some do not"
    workers = [fault.seconds for fault in faults if fault.action == "stop" and PARTS[topology][fault.part] == "worker"]
    assert min(workers) > LEASE_SECONDS, "a worker's stop that does not outlast its lease asks nothing of anybody"
    cuts = [fault for fault in faults if fault.action == "partition"]
    assert {fault.detail for fault in cuts} == {"black hole", "refused"}
    assert all(5 <= fault.seconds <= LONGEST_PARTITION for fault in cuts)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_kind_of_job_and_every_journey_has_its_turn(topology: Topology) -> None:
    plans = [plan_round(seed, topology) for seed in SEEDS]
    assert {plan.kind for plan in plans[: len(JOB_KINDS)]} == set(JOB_KINDS)
    journeys = {(journey.name, journey.detail) for plan in plans for journey in plan.journeys}
    assert {name for name, _ in journeys} == set(JOURNEYS)
    assert {detail for name, detail in journeys if name == "job"} == set(JOB_KINDS) - {"curate"}
    assert {detail for name, detail in journeys if name == "pipeline"} == {"chain", "release"}


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_part_has_one_fault_at_a_time(topology: Topology) -> None:
    for seed in SEEDS:
        parts = [fault.part for fault in plan_round(seed, topology).faults]
        assert len(set(parts)) == len(parts)
        assert 1 <= len(parts) <= 3


def test_whatever_a_plan_can_say_can_be_done() -> None:
    assert set(FAULTS) == set(get_args(Action))


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("day", [0, 1, 740_315, 740_316])
def test_four_rounds_of_any_day_meet_every_part_and_every_action(topology: Topology, day: int) -> None:
    seeds = choose_sample(topology, 4, day)
    assert seeds == choose_sample(topology, 4, day)
    faults = [fault for seed in seeds for fault in plan_round(seed, topology).faults]
    met = {PARTS[topology].get(fault.part, fault.part) for fault in faults}
    assert met >= {*PARTS[topology].values(), "gateways", "artifacts"}
    assert {fault.action for fault in faults} == set(get_args(Action))
    journeys = {journey.name for seed in seeds for journey in plan_round(seed, topology).journeys}
    assert journeys == set(JOURNEYS)


def test_another_day_has_other_rounds() -> None:
    assert set(choose_sample("kafka", 4, 1)).isdisjoint(choose_sample("kafka", 4, 2))
