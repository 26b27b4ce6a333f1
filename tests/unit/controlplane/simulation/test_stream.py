"""What a metrics system shows: planted seconds, summed over windows, and nothing of what nobody scraped."""

from dataclasses import dataclass, field, replace
from typing import cast

from controlplane.domain.analysis.eprocess import Counts
from controlplane.simulation.fates import ArmSecond
from controlplane.simulation.scenario import Outage, Scenario
from controlplane.simulation.stream import PACE, Stream, Window
from controlplane.simulation.world import World

PLAIN = Scenario(name="planted", description="", kind="other")


@dataclass
class Planted:
    """At second t the stable version has t answers without a label, and one of each other fate; the canary half."""

    asked: list[tuple[int, float, float]] = field(default_factory=list)
    compares_abandoned: bool = False

    def second(self, at: int, weight: float, share: float) -> tuple[ArmSecond, ArmSecond]:
        self.asked.append((at, weight, share))
        return ArmSecond(at, right=1, wrong=2, failed=3, hanging=4), ArmSecond(
            at, right=5, wrong=1, failed=2, hanging=1
        )


def streamed(scenario: Scenario, until: int, weight: float = 0.5) -> tuple[Stream, Planted]:
    world = Planted()
    stream = Stream(scenario, cast(World, world))
    for at in range(0, until, PACE):
        stream.serve(at, weight)
    return stream, world


def test_what_was_abandoned_is_shown_to_those_who_compare_it() -> None:
    for compared, abandoned in ((False, Counts()), (True, Counts(90, 2, 70, 3))):
        world = Planted(compares_abandoned=compared)
        world.second = lambda *_: (ArmSecond(88, abandoned=2), ArmSecond(67, abandoned=3))  # type: ignore[method-assign]
        stream = Stream(PLAIN, cast(World, world))
        stream.serve(0, 0.5)
        assert stream.all() == Window(Counts(90, 0, 70, 0), Counts(), abandoned)


def test_a_window_holds_the_units_and_the_labelled_answers_of_its_seconds() -> None:
    stream, world = streamed(PLAIN, 15)
    assert world.asked == [(0, 0.5, 5), (5, 0.5, 5), (10, 0.5, 5)]
    assert stream.last(10) == Window(Counts(10 + 20 + 5, 14, 9 + 9 + 15, 6), Counts(6, 4, 12, 2))
    assert stream.last(5) == Window(Counts(10 + 10, 7, 9 + 10, 3), Counts(3, 2, 6, 1))
    assert stream.last(999) == stream.all() == Window(Counts(30 + 15, 21, 27 + 15, 9), Counts(9, 6, 18, 3))
    assert stream.canary_units == 27 + 15


def test_the_router_sends_what_it_really_does_and_never_more_than_all() -> None:
    assert streamed(replace(PLAIN, true_weight=0.8), 5)[1].asked == [(0, 0.4, 5)]
    assert streamed(replace(PLAIN, true_weight=2.0), 5, weight=0.8)[1].asked == [(0, 1.0, 5)]


def test_what_nobody_scraped_is_missing_for_good_and_was_served_all_the_same() -> None:
    stream, _ = streamed(replace(PLAIN, outages=(Outage(5, 10),)), 15)
    assert stream.all() == Window(Counts(20 + 10, 14, 18 + 10, 6), Counts(6, 4, 12, 2))
    assert stream.last(10) == Window(Counts(10 + 10, 7, 9 + 10, 3), Counts(3, 2, 6, 1))
    assert stream.canary_units == 27 + 15


def test_a_window_in_which_nothing_was_scraped_is_none() -> None:
    stream, _ = streamed(replace(PLAIN, outages=(Outage(5, 15),)), 15)
    assert (stream.last(5), stream.last(10)) == (None, None)
    assert stream.last(15) == stream.all()
    stream.serve(15, 0.5)
    assert stream.last(5) == Window(Counts(10 + 15, 7, 9 + 15, 3), Counts(3, 2, 6, 1))


def test_one_gateway_that_is_cut_off_leaves_no_gap_in_the_fleet_s_series() -> None:
    assert streamed(replace(PLAIN, outages=(Outage(0, 99, gateway=0),)), 15)[0].all() == streamed(PLAIN, 15)[0].all()


def test_where_lanes_stall_every_second_is_played_by_itself() -> None:
    stream, world = streamed(replace(PLAIN, stall_every=2000), 10)
    assert world.asked == [(at, 0.5, 1.0) for at in range(10)]
    assert stream.last(5) == Window(Counts(5 * 10 + 35, 35, 5 * 9 + 35, 15), Counts(15, 10, 30, 5))
