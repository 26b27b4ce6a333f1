"""A streamed answer is one unit with one end, whichever way it goes, and its engine's iterator is always closed."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.prediction_id import verify_prediction_id
from schemas.serving import SessionUnit
from tests.support.streaming_engine import LAST, Script
from tests.support.virtual_time import run
from tests.support.worlds.units import CANARY, ROLLOUT, SIGNING_KEY, STABLE, UnitsInVirtualTime
from workers.serve.problems import Problem
from workers.serve.rollout.callers import Left
from workers.serve.rollout.streams import Streamed

Deed = Callable[[UnitsInVirtualTime], Awaitable[None]]


def hanging_up(seconds: float) -> Left:
    return lambda: asyncio.sleep(seconds)


async def read(streamed: Streamed) -> tuple[list[Any], Problem | None]:
    """What was told, and how it broke off."""
    told = []
    async with streamed:
        try:
            async for payload in streamed:
                told.append(payload)
        except Problem as problem:
            return told, problem
    return told, None


async def refusal(world: UnitsInVirtualTime, script: Script, left: Left | None = None) -> Problem:
    with pytest.raises(Problem) as refused:
        await world.units.stream(script, None, left=left)
    return refused.value


def play(folder: Path, deed: Deed, outcome: str | None = None, **generation: Any) -> UnitsInVirtualTime:
    """Afterwards nothing is open, and the one unit, if there is to be one, is counted as its outcome says."""

    async def played() -> UnitsInVirtualTime:
        world = UnitsInVirtualTime(folder, **generation)
        await deed(world)
        assert world.engine.open == 0
        await world.seal_all()
        assert world.journal.empty
        world.journal.close()
        return world

    world = run(played())
    if outcome is not None:
        end = outcome if outcome in ("ok", "abandoned") else "error"
        assert (world.counted(), world.outcomes()) == ({end: 1}, {outcome: 1})
    return world


def test_an_answer_is_told_in_pieces_and_signed_at_its_last(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0, 2.0, 3.0)), None)
        assert (world.clock.now(), streamed.prediction_id) == (1.0, None)
        assert (streamed.version, streamed.arm, streamed.generation.generation) == (STABLE, "stable", 1)
        assert streamed.headers == {
            "x-model-version": f"{STABLE.model}/{STABLE.version}",
            "x-variant": "stable",
            "x-request-id": streamed.request_id,
        }
        assert await read(streamed) == ([1, 2, 3], None)
        assert world.clock.now() == 6.0
        assert streamed.prediction_id is not None
        claims = verify_prediction_id(streamed.prediction_id, lambda _: SIGNING_KEY)
        assert (claims.c, claims.u, claims.i, claims.t, claims.v) == (LAST, streamed.request_id, 0, 1000, STABLE.id)

    world = play(tmp_path, deed, "ok")
    sample = world.metrics.registry.get_sample_value
    assert sample("graftwork_gateway_first_token_seconds_sum", {"variant": "stable"}) == 1.0
    assert sample("graftwork_gateway_latency_seconds_sum", {"variant": "stable"}) == 6.0


def test_an_answer_of_one_piece_is_whole(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0,)), None)
        assert await read(streamed) == ([1], None)
        assert streamed.prediction_id is not None

    play(tmp_path, deed, "ok")


def test_a_unit_without_a_first_token_in_time_is_an_error(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        problem = await refusal(world, Script((6.0, 0.0)))
        assert (problem.status, problem.slug, problem.detail) == (504, "deadline", "no answer within 5 s")
        assert (problem.headers["x-variant"], world.clock.now()) == ("stable", 5.0)

    play(tmp_path, deed, "deadline")


def test_a_unit_without_an_end_in_time_is_an_error(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        told, problem = await read(await world.units.stream(Script((4.0, 5.0, 4.0)), None))
        assert told == [1, 2]
        assert problem is not None
        assert (problem.status, problem.slug, problem.detail) == (504, "deadline", "no end within 12 s")
        assert world.clock.now() == 12.0

    play(tmp_path, deed, "deadline")


def test_tokens_may_come_until_the_total_deadline_and_the_first_until_its_own(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        assert await read(await world.units.stream(Script((4.9, 7.0)), None)) == ([1, 2], None)

    play(tmp_path, deed, "ok")


def test_a_policy_moves_both_deadlines(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        problem = (await read(await world.units.stream(Script((0.5, 2.0)), None)))[1]
        assert problem is not None
        assert (problem.detail, world.clock.now()) == ("no end within 2 s", 2.0)

    play(tmp_path, deed, "deadline", deadline_seconds=1.0, deadline_total_seconds=2.0)


@pytest.mark.parametrize(
    ("then", "detail"),
    [("raise", "PlantedFault"), ("unanswerable", "the context is full"), ("nothing", "an answer without an end")],
)
@pytest.mark.parametrize("pieces", [0, 2])
def test_a_version_that_fails_is_an_error_and_says_nothing_of_the_row(
    tmp_path: Path, then: Any, detail: str, pieces: int
) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        script = Script((0.1,) * pieces, then)
        if pieces == 0:
            problem: Problem | None = await refusal(world, script)
        else:
            streamed = await world.units.stream(script, None)
            told, problem = await read(streamed)
            assert (told, streamed.prediction_id) == ([1, 2], None)
        assert problem is not None
        assert (problem.status, problem.slug, problem.detail) == (500, "prediction-failed", detail)

    play(tmp_path, deed, "prediction-failed")


def test_an_engine_that_refuses_before_it_streams_is_an_error(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        def refuse(*_: Any) -> Any:
            raise RuntimeError("no such thing")

        world.engine.stream = refuse  # type: ignore[method-assign]
        assert (await refusal(world, Script())).detail == "RuntimeError"

    play(tmp_path, deed, "prediction-failed")


def test_who_hangs_up_before_the_first_token_has_abandoned_it(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        problem = await refusal(world, Script((3.0,)), hanging_up(2.0))
        assert (problem.status, problem.slug, world.clock.now()) == (499, "abandoned", 2.0)

    play(tmp_path, deed, "abandoned")


def test_a_deadline_that_has_passed_is_nobodys_hanging_up(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        problem = await refusal(world, Script((10.0,)), hanging_up(5.5))
        assert problem.slug == "deadline"

    play(tmp_path, deed, "deadline")


def test_who_hangs_up_after_the_first_token_ends_it_without_error(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0, 5.0)), None, left=hanging_up(2.0))
        assert await read(streamed) == ([1], None)
        assert (streamed.prediction_id, world.clock.now()) == (None, 2.0)

    play(tmp_path, deed, "ok")


def test_closing_after_the_first_token_ends_it_without_error(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0, 5.0)), None)
        await streamed.aclose()
        await streamed.aclose()
        assert world.engine.open == 0
        assert await read(streamed) == ([1], None)

    play(tmp_path, deed, "ok")


def test_a_reader_that_is_cancelled_has_hung_up(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0, 5.0)), None)
        reader = asyncio.create_task(read(streamed))
        await asyncio.sleep(1.0)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader

    play(tmp_path, deed, "ok")


def test_what_the_server_gives_up_before_the_first_token_is_an_error(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        request = asyncio.create_task(world.units.stream(Script((3.0,)), None))
        await asyncio.sleep(2.0)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request

    play(tmp_path, deed, "stopping")


def test_what_the_server_gives_up_before_the_engine_was_asked_is_an_error(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        request = asyncio.create_task(world.units.stream(Script((3.0,)), None))
        await asyncio.sleep(0)
        await world.units.close()
        with pytest.raises(Problem, match="the server is stopping"):
            await request
        assert world.engine.opened == 0

    play(tmp_path, deed, "stopping")


def test_what_the_server_gives_up_after_the_first_token_is_an_error_that_is_told(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0, 5.0)), None)
        reader = asyncio.create_task(read(streamed))
        await asyncio.sleep(1.0)
        await world.units.close()
        told, problem = await reader
        assert told == [1]
        assert problem is not None
        assert (problem.status, problem.slug) == (500, "stopping")

    play(tmp_path, deed, "stopping")


@pytest.mark.parametrize(("then", "outcome", "ends"), [("last", "ok", 3.0), ("hang", "deadline", 12.0)])
def test_an_answer_that_nobody_reads_ends_by_itself(tmp_path: Path, then: Any, outcome: str, ends: float) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0, 1.0, 1.0), then), None)
        await asyncio.sleep(20.0)
        assert world.engine.open == 0
        del streamed

    world = play(tmp_path, deed, outcome)
    assert world.metrics.registry.get_sample_value("graftwork_gateway_latency_seconds_sum", {"variant": "stable"}) == (
        ends
    )


def test_a_slow_reader_makes_no_version_late(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((1.0, 1.0, 1.0)), None)
        await asyncio.sleep(30.0)
        assert await read(streamed) == ([1, 2, 3], None)
        assert streamed.prediction_id is not None

    play(tmp_path, deed, "ok")


def test_an_iterator_that_fails_to_close_changes_nothing(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        planted = world.engine.stream

        async def unruly(*given: Any) -> Any:
            try:
                async for piece in planted(*given):
                    yield piece
            finally:
                raise RuntimeError("a message that quotes the row")

        world.engine.stream = unruly  # type: ignore[method-assign]
        assert await read(await world.units.stream(Script(), None)) == ([1, 2, 3], None)

    play(tmp_path, deed, "ok")


def test_a_version_that_the_caller_named_is_a_unit_of_no_arm(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        for script in (Script((1.0,)), Script((1.0, 20.0))):
            streamed = await world.units.stream(script, None, version=str(STABLE.version))
            await read(streamed)
        with pytest.raises(Problem, match="no answer within"):
            await world.units.stream(Script((6.0,)), None, version=str(STABLE.version))

    world = play(tmp_path, deed)
    assert (world.counted(), world.outcomes()) == ({}, {"ok": 1, "deadline": 2})


@pytest.mark.parametrize(("seconds", "outcome"), [(1.0, "abandoned"), (4.0, "ok"), (None, "ok")])
def test_an_answer_in_one_piece_is_abandoned_before_it_is_there(
    tmp_path: Path, seconds: float | None, outcome: str
) -> None:
    """The answer is there after 3 s."""

    async def deed(world: UnitsInVirtualTime) -> None:
        left = None if seconds is None else hanging_up(seconds)
        answering = world.units.answer([Script((1.0, 1.0, 1.0))], None, left=left)
        if outcome == "ok":
            assert len((await answering).answers) == 1
            return
        with pytest.raises(Problem) as refused:
            await answering
        assert (refused.value.status, world.clock.now()) == (499, 1.0)

    play(tmp_path, deed, outcome)


def test_one_who_cannot_be_watched_is_gone(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        async def torn() -> None:
            await asyncio.sleep(1.0)
            raise OSError("the connection is gone")

        assert (await refusal(world, Script((3.0,)), torn)).slug == "abandoned"

    play(tmp_path, deed, "abandoned")


def test_seconds_wait_for_a_long_stream_and_are_told_in_order(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((0.5, 10.0)), None)
        reader = asyncio.create_task(read(streamed))
        for _ in range(4):
            await asyncio.sleep(1.0)
            assert (await world.units.answer([Script((0.0,))], None)).answers
        await asyncio.sleep(5.9)
        assert (world.clock.now(), world.seal()) == (10.4, [])
        await reader
        assert world.seal() == list(range(1000, 1010))

    world = play(tmp_path, deed)
    assert [one.generations[0].stable.units for one in world.told[:6]] == [1, 1, 1, 1, 1, 0]


def test_a_classification_delays_its_second_by_its_own_deadline_alone(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        hanging = asyncio.create_task(world.units.answer([Script((), "hang")], None))
        await asyncio.sleep(4.9)
        assert world.seal() == []
        with pytest.raises(Problem, match="no answer within 5 s"):
            await hanging
        assert world.seal() == list(range(1000, 1005))

    play(tmp_path, deed, "deadline")


def test_a_stream_that_never_ends_delays_its_second_by_the_total_deadline(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        streamed = await world.units.stream(Script((4.0,), "hang"), None)
        await asyncio.sleep(7.9)
        assert world.seal() == []
        await asyncio.sleep(0.1)
        assert world.seal() == list(range(1000, 1012))
        with pytest.raises(Problem, match="no end within 12 s"):
            await read_all(streamed)

    play(tmp_path, deed, "deadline")


async def read_all(streamed: Streamed) -> None:
    async with streamed:
        async for _ in streamed:
            pass


def test_a_session_that_is_abandoned_is_told_under_its_key_and_arm(tmp_path: Path) -> None:
    async def deed(world: UnitsInVirtualTime) -> None:
        with pytest.raises(Problem) as refused:
            await world.units.stream(Script((3.0,)), "user-1", left=hanging_up(1.0))
        assert refused.value.headers["x-variant"] == "canary"

    rollout = {"canary": CANARY, "weight": 1.0, "rollout_id": ROLLOUT, "salt": "s", "randomize": "session"}
    world = play(tmp_path, deed, **rollout)
    [session] = [unit for one in world.told for cell in one.generations for unit in cell.sessions]
    assert session == SessionUnit(key_hash=session.key_hash, arm="canary", end="abandoned")
    assert world.counted() == {}
