"""No request holds a lane: simulated on planted costs, second by second, without threads or clocks."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.serve.engines.graph.fair_queue import FairQueue, Flow

BATCH_TOKENS = 30
ROWS = 32


def flow(*weights: int, price: int = 1) -> Flow:
    return Flow([f"row {n}" for n in range(len(weights))], weights, price)


@dataclass
class Simulation:
    """A lane that computes one token in a millisecond."""

    queue: FairQueue = field(default_factory=FairQueue)
    now: float = 0.0
    ended: dict[Flow, float] = field(default_factory=dict)
    computed: list[list[tuple[Flow, list[int]]]] = field(default_factory=list)

    def batch(self) -> None:
        taken = self.queue.take(BATCH_TOKENS, ROWS)
        self.computed.append(taken)
        for one, rows in taken:
            self.now += sum(one.weights[row] for row in rows)
            one.keep(rows, np.zeros((len(rows), 2), dtype=np.float32))
        for one, _ in taken:
            if one.complete:
                self.queue.remove(one)
                self.ended[one] = self.now

    def run(self, arrivals: list[tuple[float, Flow]]) -> dict[Flow, float]:
        """How long each took."""
        due = sorted(arrivals, key=lambda arrival: arrival[0])
        came = {one: at for at, one in due}
        while due or len(self.queue):
            while due and due[0][0] <= self.now:
                self.queue.add(due.pop(0)[1])
            if not len(self.queue):
                self.now = due[0][0]
                continue
            self.batch()
        return {one: at - came[one] for one, at in self.ended.items()}


def test_small_requests_do_not_wait_for_a_large_one() -> None:
    """64 rows of 25 tokens beside a small request every 20 ms: the row in progress, then their own."""
    large, small = flow(*[25] * 64), [(20.0 * n, flow(8)) for n in range(150)]
    took = Simulation().run([(0.0, large), *small])
    assert max(took[one] for _, one in small) <= 25 + 2 * 8
    alone = 64 * 25
    assert took[large] <= 1.1 * alone / (1 - 8 / 20)  # what the small ones leave of the lane is all its own


@pytest.mark.parametrize("price", [1, 4])
def test_a_large_request_keeps_its_share_when_small_ones_never_stop(price: int) -> None:
    """One small request waits at any time: each of the two flows is due a half, or a fifth at four times the price."""
    simulation, large = Simulation(), flow(*[25] * 64, price=price)
    simulation.queue.add(large)
    small = flow(8)
    simulation.queue.add(small)
    while large not in simulation.ended:
        simulation.batch()
        if small in simulation.ended:
            small = flow(8)
            simulation.queue.add(small)
    assert simulation.ended[large] == pytest.approx((1 + price) * 64 * 25, rel=0.05)


@pytest.mark.parametrize(("price", "rows_between"), [(1, 1), (4, 0)])
def test_small_requests_one_after_the_other_have_few_rows_of_a_dear_one_between_them(
    price: int, rows_between: int
) -> None:
    """Twelve, each as the one before it is computed, while a row of the large one is in progress."""
    large, small = flow(*[25] * 64, price=price), [flow(8) for _ in range(12)]
    simulation = Simulation()
    simulation.run([(0.0, large), *((1.0 + 8 * n, one) for n, one in enumerate(small))])
    assert max(simulation.ended[one] for one in small) == 25 + 12 * 8 + rows_between * 25


def test_no_answer_waits_for_a_row_of_a_request_that_is_not_done_with_it() -> None:
    """A batch with room for rows of a large request does without; one that begins with such a row has no other."""
    queue = FairQueue()
    large, first, second = flow(*[5] * 64), flow(4, 4), flow(6)
    for one in (large, first, second):
        queue.add(one)
    batches = [queue.take(BATCH_TOKENS, ROWS) for _ in range(4)]
    assert batches == [[(first, [0, 1])], [(large, [0])], [(second, [0])], [(large, [1, 2, 3, 4, 5, 6])]]


@given(st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=9), min_size=1, max_size=12), st.integers(1, 4))
def test_every_batch_answers_all_in_it_or_is_a_piece_of_one(requests: list[list[int]], price: int) -> None:
    queue = FairQueue()
    for weights in requests:
        queue.add(flow(*weights, price=price))
    while taken := queue.take(BATCH_TOKENS, ROWS):
        assert len(taken) == 1 or all(one.waiting_rows == 0 for one, _ in taken)


def test_the_time_of_the_lane_never_goes_back() -> None:
    """A request whose rows were taken together may end later than the one taken after it."""
    queue = FairQueue()
    waits, late = flow(25), flow(9)
    for one in (flow(10, 10), flow(12), waits):
        queue.add(one)
    assert len(queue.take(32, ROWS)) == 2
    queue.add(late)
    assert [one for one, _ in queue.take(1_000, ROWS)] == [waits, late]


def test_large_requests_share_the_lane_and_none_waits_for_the_other_to_end() -> None:
    first, second = flow(*[25] * 64), flow(*[25] * 64)
    took = Simulation().run([(0.0, first), (0.0, second)])
    assert abs(took[first] - took[second]) <= 2 * BATCH_TOKENS


def test_requests_of_one_size_are_served_in_the_order_of_arrival() -> None:
    simulation = Simulation()
    flows = [flow(8) for _ in range(20)]
    simulation.run([(0.0, one) for one in flows])
    assert list(simulation.ended) == flows


def test_a_late_comer_is_not_ahead_of_everyone_for_having_had_nothing() -> None:
    """Its virtual time begins at the lane's, not at zero: a long history gives no credit, and takes none."""
    simulation = Simulation()
    simulation.run([(8.0 * n, flow(8)) for n in range(1_000)])
    old, late = flow(*[8] * 40), flow(*[8] * 40)
    simulation.queue.add(old)
    for _ in range(5):
        simulation.batch()
    simulation.queue.add(late)
    before = old.remaining
    for _ in range(6):
        simulation.batch()
    assert abs((before - old.remaining) - (sum(late.weights) - late.remaining)) <= BATCH_TOKENS


@given(st.lists(st.lists(st.integers(1, 60), min_size=1, max_size=40), min_size=1, max_size=12))
def test_every_row_is_computed_once_and_no_batch_is_larger_than_allowed(requests: list[list[int]]) -> None:
    simulation = Simulation()
    flows = [flow(*weights) for weights in requests]
    simulation.run([(7.0 * n, one) for n, one in enumerate(flows)])
    done = [(one, row) for batch in simulation.computed for one, rows in batch for row in rows]
    assert len(done) == len(set(done)) == sum(map(len, requests))
    for batch in simulation.computed:
        weights = [one.weights[row] for one, rows in batch for row in rows]
        assert len(weights) == 1 or (sum(weights) <= BATCH_TOKENS and len(weights) <= ROWS)


def test_a_request_given_up_is_not_taken_again_and_nobody_waits_for_it() -> None:
    queue = FairQueue()
    gone, stays = flow(8, 8, 8, 8, 8, 8), flow(8)
    queue.add(gone)
    assert [rows for _, rows in queue.take(16, ROWS)] == [[0, 1]]
    queue.add(stays)
    queue.remove(gone)
    assert (queue.waiting_rows, queue.ahead_of(1_000)) == (1, 8)
    assert queue.take(1_000, ROWS) == [(stays, [0])]
    assert queue.take(1_000, ROWS) == []


def test_what_is_ahead_of_a_request_is_no_more_of_another_than_its_own_size() -> None:
    queue = FairQueue()
    for one in (flow(*[10] * 50), flow(4), flow(10, 10)):
        queue.add(one)
    assert queue.ahead_of(12) == 12 + 4 + 12
    assert queue.ahead_of(10_000) == 500 + 4 + 20


def test_what_is_ahead_of_a_request_depends_on_both_prices() -> None:
    queue = FairQueue()
    queue.add(flow(*[10] * 50, price=4))
    queue.add(flow(40))
    assert queue.ahead_of(12) == 12 / 4 + 12
    assert queue.ahead_of(12, price=4) == 12 + 40


def test_rows_that_are_being_computed_are_still_ahead() -> None:
    queue = FairQueue()
    queue.add(flow(10, 10))
    queue.take(1_000, ROWS)
    assert (queue.waiting_rows, queue.ahead_of(100)) == (0, 20)


@pytest.mark.parametrize("weights", [(3, 1, 2), (5, 5, 5), (1,)])
def test_rows_of_like_lengths_go_together_and_come_back_in_their_order(weights: tuple[int, ...]) -> None:
    one, queue = flow(*weights), FairQueue()
    queue.add(one)
    while taken := queue.take(1, ROWS):
        [(_, rows)] = taken
        one.keep(rows, np.array([[row, 0] for row in rows], dtype=np.float32))
    assert one.complete
    assert one.logits()[:, 0].tolist() == list(range(len(weights)))
    assert one.remaining == 0


def test_the_shortest_rows_of_a_request_go_first() -> None:
    queue = FairQueue()
    queue.add(flow(30, 10, 20))
    assert [queue.take(30, ROWS)[0][1] for _ in range(2)] == [[1, 2], [0]]
