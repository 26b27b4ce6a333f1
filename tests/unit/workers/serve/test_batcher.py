"""Rows that wait together are computed together, a large request a little at a time; a bad one spoils no other."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tests.support.builders.models import served_version
from workers.base.arrays import Logits
from workers.serve.engines.graph import batcher
from workers.serve.engines.graph.batcher import MAX_BATCH, Batcher, Lane
from workers.serve.engines.graph.costs import weigh

MAX_LENGTH = 64
LONG = "word " * 60
A, B = served_version(1), served_version(2)


class Model:
    """Logits tell a text's length. `gate` holds every batch back until it is set; a token takes `pace` of its clock."""

    def __init__(self, pace: float = 0.001) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.now = 0.0
        self.pace = pace

    def __call__(self, texts: Sequence[str]) -> Logits:
        self.begun.set()
        assert self.gate.wait(30)
        self.batches.append(list(texts))
        self.now += self.pace * sum(weigh(texts, MAX_LENGTH))
        if "bad" in texts:
            raise ValueError("bad row")
        return np.array([[len(text), 0] for text in texts], dtype=np.float32)

    def lane(self) -> Lane:
        return Lane(self, MAX_LENGTH, lambda _rows: None, lambda: self.now)


def on_lane(model: Model, use: Callable[[Lane], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        lane = model.lane()
        try:
            return await asyncio.wait_for(use(lane), 60)
        finally:
            model.gate.set()
            lane.close()

    return asyncio.run(run())


async def hold(model: Model, lane: Lane, text: str = "held") -> asyncio.Future[Logits]:
    """A request that is being computed until the gate opens."""
    model.gate.clear()
    model.begun.clear()
    held = lane.submit([text])
    await asyncio.to_thread(model.begun.wait, 30)
    return held


def test_waiting_requests_share_a_batch_and_get_their_own_rows() -> None:
    model = Model(pace=0.0001)

    async def use(lane: Lane) -> list[Logits]:
        held = await hold(model, lane)
        futures = [lane.submit(["x" * n] * 2) for n in range(1, 6)]
        model.gate.set()
        await held
        return list(await asyncio.gather(*futures))

    answers = on_lane(model, use)
    assert [rows[:, 0].tolist() for rows in answers] == [[n, n] for n in range(1, 6)]
    assert len(model.batches) == 2


def test_a_small_request_passes_a_large_one_that_is_under_way() -> None:
    model = Model()

    async def use(lane: Lane) -> None:
        model.gate.clear()
        large = lane.submit([LONG] * 64)
        await asyncio.to_thread(model.begun.wait, 30)
        small = lane.submit(["small"])
        model.gate.set()
        assert [len(rows) for rows in await asyncio.gather(large, small)] == [64, 1]

    on_lane(model, use)
    assert model.batches[1] == ["small"]  # nor does its answer wait for a row of the large one
    assert model.batches[0] == model.batches[2] == [LONG]


def test_a_batch_takes_no_longer_than_whoever_comes_should_wait() -> None:
    model = Model(pace=0.0003)

    async def use(lane: Lane) -> None:
        await lane.submit(["x"])  # the pace is known from here on
        await lane.submit(["word " * 10] * 40)

    on_lane(model, use)
    tokens = [sum(weigh(batch, MAX_LENGTH)) for batch in model.batches]
    assert all(0.0003 * one <= batcher.BATCH_SECONDS for one in tokens)
    assert max(map(len, model.batches[1:])) > 1


def test_a_row_that_takes_longer_than_that_is_computed_alone() -> None:
    model = Model(pace=0.01)

    async def use(lane: Lane) -> None:
        await lane.submit(["x"])
        await lane.submit([LONG] * 3)

    on_lane(model, use)
    assert list(map(len, model.batches)) == [1, 1, 1, 1]


def test_no_batch_has_more_rows_than_allowed() -> None:
    model = Model(pace=1e-9)

    async def use(lane: Lane) -> None:
        await lane.submit(["x"])
        await lane.submit(["x"] * 64)

    on_lane(model, use)
    assert list(map(len, model.batches)) == [1, MAX_BATCH, MAX_BATCH]


def test_one_requests_failure_is_its_own() -> None:
    model = Model()

    async def use(lane: Lane) -> list[Logits | BaseException]:
        held = await hold(model, lane)
        futures = [lane.submit([text]) for text in ("good", "bad", "fine")]
        model.gate.set()
        await held
        return list(await asyncio.gather(*futures, return_exceptions=True))

    good, bad, fine = on_lane(model, use)
    assert isinstance(bad, ValueError)
    assert good.tolist() == [[4, 0]]
    assert fine.tolist() == [[4, 0]]


def test_a_large_request_that_fails_in_its_middle_is_not_computed_further() -> None:
    model = Model(pace=0.01)

    async def use(lane: Lane) -> None:
        await lane.submit(["x"])
        with pytest.raises(ValueError, match="bad row"):
            await lane.submit([LONG, "bad", LONG])
        await lane.submit(["after"])

    on_lane(model, use)
    assert model.batches == [["x"], ["bad"], ["after"]]


@pytest.mark.parametrize("rows", [0, 2])
def test_a_version_that_answers_another_number_of_rows_is_an_error_and_the_lane_goes_on(rows: int) -> None:
    async def use() -> None:
        lane = Lane(lambda texts: np.zeros((rows if "odd" in texts else len(texts), 2), np.float32), 8, lambda _: None)
        with pytest.raises(ValueError, match="rows of logits for 1 rows of text"):
            await lane.submit(["odd"])
        assert len(await lane.submit(["even"])) == 1
        lane.close()

    asyncio.run(asyncio.wait_for(use(), 60))


def test_a_version_whose_width_changes_between_batches_is_an_error_and_the_lane_goes_on() -> None:
    widths = iter([2, 2, 3, 2])

    async def use() -> None:
        lane = Lane(lambda texts: np.zeros((len(texts), next(widths)), np.float32), MAX_LENGTH, lambda _: None)
        await lane.submit(["first"])
        with pytest.raises(ValueError, match="shape"):
            await lane.submit(["x"] * (MAX_BATCH + 1))
        assert (await lane.submit(["after"])).shape == (1, 2)
        lane.close()

    asyncio.run(asyncio.wait_for(use(), 60))


def test_a_version_that_hangs_does_not_hold_up_another() -> None:
    hangs, works = Model(), Model()
    models = {A.id: hangs, B.id: works}

    async def use() -> None:
        lanes = Batcher(lambda version, texts: models[version](texts), lambda _rows: None)
        hangs.gate.clear()
        hanging = lanes.lane(A).submit(["x"])
        answer = await asyncio.wait_for(lanes.lane(B).submit(["four"]), 30)
        assert answer.tolist() == [[4, 0]]
        assert not hanging.done()
        hangs.gate.set()
        await hanging
        lanes.close_all()

    asyncio.run(asyncio.wait_for(use(), 60))


def test_a_request_given_up_leaves_the_lane_at_once_even_while_the_lane_hangs() -> None:
    model = Model()

    async def use(lane: Lane) -> None:
        held = await hold(model, lane)
        given_up = lane.submit(["gone"] * batcher.MAX_WAITING_ROWS)
        assert not lane.has_room(1)
        given_up.cancel()
        await asyncio.sleep(0)
        assert lane.has_room(batcher.MAX_WAITING_ROWS)
        model.gate.set()
        await held
        await lane.submit(["after"])

    on_lane(model, use)
    assert model.batches == [["held"], ["after"]]


def test_a_lane_has_room_for_so_many_rows_and_no_more() -> None:
    model = Model()

    async def use(lane: Lane) -> None:
        held = await hold(model, lane)  # it waits no longer: it is being computed
        waiting = lane.submit(["x"] * (batcher.MAX_WAITING_ROWS - 2))
        assert lane.has_room(2)
        assert not lane.has_room(3)
        waiting.cancel()
        model.gate.set()
        await held

    on_lane(model, use)


# --- forecasts --------------------------------------------------------------------------------------------------------


def test_a_forecast_is_the_measured_pace_times_the_request_and_what_is_ahead_of_it() -> None:
    model = Model(pace=0.002)

    async def use(lane: Lane) -> None:
        assert lane.seconds_per_token is None
        await lane.submit(["x"])
        pace = lane.seconds_per_token
        assert pace == pytest.approx(0.002)
        own = 0.002 * sum(weigh(["four"], MAX_LENGTH))
        assert lane.forecast_seconds(["four"], pace) == pytest.approx(own)
        held = await hold(model, lane)
        waiting = [lane.submit([LONG] * 10), lane.submit(["four"])]
        ahead = 1 + 1 / 4 + 1  # no more of any than its own size, and of a dear one a quarter of that
        assert lane.forecast_seconds(["four"], pace) == pytest.approx((1 + ahead) * own)
        assert lane.alone_seconds([LONG] * 10, pace) == pytest.approx(0.002 * sum(weigh([LONG] * 10, MAX_LENGTH)))
        model.gate.set()
        await asyncio.gather(held, *waiting)

    on_lane(model, use)


def test_a_large_request_has_what_small_ones_leave_of_the_lane() -> None:
    model = Model(pace=0.002)
    large = [LONG] * 20

    async def use(lane: Lane) -> tuple[float, float, float]:
        await lane.submit(["x"])
        model.now += 1_000
        alone = lane.forecast_seconds(large, 0.002)
        for _ in range(500):  # 13 tokens at 0.002 s each, every 0.052 s: half of the lane
            model.now += 0.026
            await lane.submit(["x"])
        beside = lane.forecast_seconds(large, 0.002)
        await lane.submit(large)
        return alone, beside, lane.forecast_seconds(["x"], 0.002)

    alone, beside, small = on_lane(model, use)
    assert alone == pytest.approx(lane_seconds(large, 0.002))
    assert beside == pytest.approx(2 * alone, rel=0.1)
    assert small == pytest.approx(lane_seconds(["x"], 0.002))


def test_single_rows_pass_a_large_request_also_where_the_machine_is_too_slow_for_a_batch_of_them() -> None:
    """Each takes longer than a batch should: a forecast that forgot them admitted what then met its deadline."""
    model = Model(pace=0.01)
    large = [LONG] * 20

    async def use(lane: Lane) -> tuple[float, float]:
        for _ in range(100):  # 13 tokens at 0.01 s each, every 0.26 s: half of the lane
            model.now += 0.13
            await lane.submit(["x"])
        assert 0.01 * sum(weigh(["x"], MAX_LENGTH)) > batcher.BATCH_SECONDS
        return lane.forecast_seconds(large, 0.01), lane.forecast_seconds(["x"], 0.01)

    beside, small = on_lane(model, use)
    assert beside == pytest.approx(2 * lane_seconds(large, 0.01), rel=0.1)
    assert small == pytest.approx(lane_seconds(["x"], 0.01))


def test_many_small_requests_pass_all_but_a_row_of_a_large_one() -> None:
    """On the way from the texts to the queue: what takes several batches is dearer than what takes one."""
    model = Model()

    async def use(lane: Lane) -> None:
        await lane.submit(["x"])
        model.gate.clear()
        model.begun.clear()
        large = lane.submit([LONG] * 64)
        await asyncio.to_thread(model.begun.wait, 30)
        small = [lane.submit(["small"]) for _ in range(12)]
        model.gate.set()
        await asyncio.gather(*small)
        large.cancel()

    on_lane(model, use)
    assert model.batches[1:14] == [[LONG], *[["small"]] * 12]


def lane_seconds(texts: Sequence[str], pace: float) -> float:
    return pace * sum(weigh(texts, MAX_LENGTH))


def test_a_pace_that_is_old_is_measured_again_by_one_row_for_nobody() -> None:
    model = Model(pace=1.0)

    async def use(lane: Lane) -> None:
        await lane.submit(["slow"])
        model.pace = 0.001
        lane.measure_again("too early")
        await lane.submit(["in between"])
        for _ in range(2 * 16):
            model.now += batcher.STALE_SECONDS
            lane.measure_again("again")
            while len(lane._queue):
                await asyncio.sleep(0.001)
        assert lane.seconds_per_token == pytest.approx(0.001)

    on_lane(model, use)
    assert model.batches == [["slow"], ["in between"], *[["again"]] * 32]
