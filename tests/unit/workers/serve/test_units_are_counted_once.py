"""Whatever callers, versions and the machine do to streams, every unit is counted once, and none is lost."""

import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Literal, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.serving import ArmCounts, Observation
from tests.support.streaming_engine import Script
from tests.support.virtual_time import run
from tests.support.worlds.units import CANARY, ROLLOUT, UnitsInVirtualTime
from workers.serve.counting.remains import read_remains
from workers.serve.problems import Problem
from workers.serve.rollout.callers import Left

Impatience = Literal["stays", "tells", "closes", "is cancelled", "does not read"]


class Caller(NamedTuple):
    comes: float
    script: Script
    does: Impatience
    after: float


SECONDS = st.floats(0, 14).map(lambda seconds: round(seconds, 2))
SCRIPTS = st.builds(
    Script,
    st.lists(SECONDS, max_size=4).map(tuple),
    st.sampled_from(["last", "last", "nothing", "raise", "unanswerable", "hang"]),
)
CALLERS = st.builds(
    Caller, SECONDS, SCRIPTS, st.sampled_from(["stays", "tells", "closes", "is cancelled", "does not read"]), SECONDS
)


async def call(world: UnitsInVirtualTime, caller: Caller) -> None:
    await asyncio.sleep(caller.comes)
    left: Left | None = (lambda: asyncio.sleep(caller.after)) if caller.does == "tells" else None
    try:
        streamed = await world.units.stream(caller.script, None, left=left)
        if caller.does == "does not read":
            return
        async with streamed:
            if caller.does == "closes":
                await asyncio.sleep(caller.after)
                return
            async for _ in streamed:
                pass
    except Problem:
        pass


async def cut_off(world: UnitsInVirtualTime, caller: Caller) -> None:
    calling = asyncio.create_task(call(world, caller))
    if caller.does == "is cancelled":
        await asyncio.sleep(caller.comes + caller.after + 0.005)
        calling.cancel()
    await asyncio.gather(calling, return_exceptions=True)


def units_of(observations: list[Observation]) -> Counter[str]:
    arms: list[ArmCounts] = [
        arm for one in observations for cell in one.generations for arm in (cell.stable, cell.canary)
    ]
    return Counter(
        units=sum(arm.units for arm in arms),
        error=sum(arm.error for arm in arms),
        abandoned=sum(arm.abandoned for arm in arms),
    )


IN_ROLLOUT = {"canary": CANARY, "weight": 0.5, "rollout_id": ROLLOUT, "salt": "s"}


@settings(max_examples=60, deadline=None)
@given(callers=st.lists(CALLERS, min_size=1, max_size=12))
def test_every_unit_is_told_once_as_what_became_of_it(callers: list[Caller]) -> None:
    async def boot(folder: Path) -> UnitsInVirtualTime:
        world = UnitsInVirtualTime(folder, **IN_ROLLOUT)
        await asyncio.gather(*(cut_off(world, caller) for caller in callers))
        await asyncio.sleep(13.0)  # until what nobody reads has ended
        assert world.engine.open == 0
        await world.seal_all()
        assert world.journal.empty
        world.journal.close()
        return world

    with tempfile.TemporaryDirectory() as folder:
        world = run(boot(Path(folder)))
    told, outcomes = units_of(world.told), Counter(world.outcomes())
    assert told["units"] == len(callers) == outcomes.total()
    assert told["abandoned"] == outcomes["abandoned"]
    assert told["error"] == outcomes.total() - outcomes["ok"] - outcomes["abandoned"]


@settings(max_examples=60, deadline=None)
@given(callers=st.lists(CALLERS, min_size=1, max_size=12), killed=SECONDS)
def test_of_a_killed_process_the_journal_has_every_unit_and_how_it_ended(callers: list[Caller], killed: float) -> None:
    """What it told and what the next boot reports are different seconds, and together they have every unit."""
    killed += 0.005  # nobody comes in that very instant

    async def boot(folder: Path) -> UnitsInVirtualTime:
        world = UnitsInVirtualTime(folder, **IN_ROLLOUT)
        calling = [asyncio.create_task(cut_off(world, caller)) for caller in callers]
        await asyncio.sleep(killed)
        world.seal()
        (folder / "killed").write_bytes(world.path.read_bytes())
        for one in calling:
            one.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
        await world.units.close()
        world.journal.close()
        return world

    with tempfile.TemporaryDirectory() as folder:
        world = run(boot(Path(folder)))
        left = Path(folder) / "killed"
        lines = [json.loads(line) for line in left.read_bytes().splitlines()[1:]]
        remains = read_remains(left)
    assert remains is not None
    reported = remains.lost
    told, lost = units_of(world.told), units_of(list(reported))
    started = {line[0]: line[1] for line in lines if isinstance(line, list) and len(line) > 2}
    ended = [(line[0], line[1]) for line in lines if isinstance(line, list) and len(line) == 2]
    sealed = {one.second for one in world.told}
    unsealed = [number for number, second in started.items() if second not in sealed]
    ends = Counter(end for number, end in ended if number in unsealed)
    open_units = len(unsealed) - ends.total()
    assert len(started) == sum(caller.comes <= killed for caller in callers)
    assert len(ended) == len({number for number, _ in ended})
    assert remains.sealed == {one.second: one.model_dump_json() for one in world.told}
    assert (lost["units"], lost["error"], lost["abandoned"]) == (
        len(unsealed),
        ends["error"] + open_units,
        ends["abandoned"],
    )
    assert any(one.unfinished for one in reported) == (open_units > 0)
    assert not sealed & {one.second for one in reported}
    assert told["units"] + lost["units"] == len(started)
