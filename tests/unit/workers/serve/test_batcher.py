"""Rows that wait together are computed together; a bad unit spoils no other."""

import asyncio
import threading
from collections.abc import Sequence
from uuid import UUID

import numpy as np
import pytest

from workers.serve.batcher import MAX_BATCH, Batcher, Overloaded
from workers.serve.sessions import Logits

A, B = UUID(int=1), UUID(int=2)


class Model:
    """Logits tell the text's length; `gate` holds every batch back until it is set."""

    def __init__(self) -> None:
        self.batches: list[tuple[UUID, int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.held: UUID | None = None

    def __call__(self, version: UUID, texts: Sequence[str]) -> Logits:
        if self.held in (None, version):
            self.gate.wait(30)
        self.batches.append((version, len(texts)))
        if "bad" in texts:
            raise ValueError("bad row")
        return np.array([[len(text), 0] for text in texts], dtype=np.float32)


def test_waiting_units_share_a_batch_and_get_their_own_rows() -> None:
    model = Model()

    async def run() -> list[Logits]:
        batcher = Batcher(model, lambda _rows: None)
        model.gate.clear()
        futures = [batcher.submit(A, ["x" * n] * 2) for n in range(1, 11)]
        model.gate.set()
        answers = await asyncio.gather(*futures)
        batcher.close_all()
        return list(answers)

    answers = asyncio.run(run())
    assert [row[:, 0].tolist() for row in answers] == [[n, n] for n in range(1, 11)]
    assert len(model.batches) < 10


def test_no_batch_is_larger_than_allowed_unless_one_unit_is() -> None:
    model = Model()

    async def run() -> None:
        batcher = Batcher(model, lambda _rows: None)
        model.gate.clear()
        futures = [batcher.submit(A, ["x"] * 20) for _ in range(4)] + [batcher.submit(A, ["x"] * 50)]
        model.gate.set()
        await asyncio.gather(*futures)
        batcher.close_all()

    asyncio.run(run())
    assert sorted(rows for _, rows in model.batches) == [20, 20, 20, 20, 50]
    assert MAX_BATCH == 32


def test_one_units_failure_is_its_own() -> None:
    model = Model()

    async def run() -> list[Logits | BaseException]:
        batcher = Batcher(model, lambda _rows: None)
        model.gate.clear()
        first = batcher.submit(A, ["x"])
        futures = [batcher.submit(A, [text]) for text in ("good", "bad", "fine")]
        model.gate.set()
        await first
        answers = await asyncio.gather(*futures, return_exceptions=True)
        batcher.close_all()
        return list(answers)

    good, bad, fine = asyncio.run(run())
    assert isinstance(bad, ValueError)
    assert isinstance(good, np.ndarray)
    assert isinstance(fine, np.ndarray)


def test_a_version_that_hangs_does_not_hold_up_another() -> None:
    model = Model()

    async def run() -> Logits:
        batcher = Batcher(model, lambda _rows: None)
        model.held = A
        model.gate.clear()
        hanging = batcher.submit(A, ["x"])
        answer = await asyncio.wait_for(batcher.submit(B, ["four"]), 30)
        assert not hanging.done()
        model.gate.set()
        await hanging
        batcher.close_all()
        return answer

    assert asyncio.run(run()).tolist() == [[4, 0]]


def test_a_full_queue_refuses_and_a_given_up_unit_is_not_computed() -> None:
    model = Model()

    async def run() -> None:
        batcher = Batcher(model, lambda _rows: None, max_waiting_rows=3)
        model.gate.clear()
        first = batcher.submit(A, ["x"])
        while batcher._lanes[A]._rows:  # the lane has taken it
            await asyncio.sleep(0.001)
        given_up = batcher.submit(A, ["y", "y"])
        with pytest.raises(Overloaded):
            batcher.submit(A, ["z", "z"])
        given_up.cancel()
        model.gate.set()
        await first
        await batcher.submit(A, ["w"])
        batcher.close_all()

    asyncio.run(run())
    assert sum(rows for _, rows in model.batches) == 2
