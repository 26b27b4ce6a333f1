"""The open loop: every request leaves at its time whatever came of the ones before, and is timed from then."""

import asyncio
import resource
import selectors
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.trials.load.histogram import Histogram
from tests.trials.load.http import Answer, NoAnswer, Pool
from tests.trials.load.targets import TARGETS, Call, World

LEAD_SECONDS = 0.2
GIVE_UP_SECONDS = 10.0
MOST_AT_ONCE = 900
"""Requests on their way: beyond it a request is not sent and counts as an error, as a caller's own limit would do.
(`select`, which times our waits to the microsecond, takes no more descriptors.)"""


@dataclass
class Tally:
    """What became of the requests to one target."""

    latency: Histogram = field(default_factory=Histogram)
    """From the intended time to the whole answer; answers of any status, and requests that got none."""
    sent: int = 0
    ok: int = 0
    idle: int = 0
    """Times that there was nothing to ask for."""
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Done:
    """One request, in wall-clock seconds."""

    target: str
    intended: float
    sent: float
    done: float
    outcome: str
    """The status, or what kept it from having one, or that its answer was not understood."""
    version: str
    variant: str


@dataclass
class Result:
    tallies: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    lag: Histogram = field(default_factory=Histogram)
    """How late requests left: the generator's own fault, and part of every latency."""
    seconds: float = 0.0
    cpu_share: float = 0.0
    """The share of one core that the generator used."""


Watch = Callable[[Done], None]

Hear = Callable[[Answer], None]


def run(world: World, due: Iterable[tuple[float, str]], watch: Watch = lambda _: None) -> Result:
    """Blocks until every request has its answer or was given up. Raises what a request failed by when that is the
    generator's own fault: a request that is in no count would be missing from every verdict."""
    with asyncio.Runner(loop_factory=_precise_loop) as runner:
        return runner.run(_Generator(world, watch).run(iter(due)))


def _precise_loop() -> asyncio.AbstractEventLoop:
    """epoll rounds a wait up to whole milliseconds, select does not."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


class _Generator:
    def __init__(self, world: World, watch: Watch) -> None:
        self._world, self._watch = world, watch
        self._pool = Pool()
        self._result = Result()
        self._under_way: set[asyncio.Task[None]] = set()
        self._faults: list[BaseException] = []

    async def run(self, due: Iterator[tuple[float, str]]) -> Result:
        loop = asyncio.get_running_loop()
        start, used = loop.time() + LEAD_SECONDS, _cpu_seconds()
        for at, target in due:
            await asyncio.sleep(start + at - loop.time())
            self._launch(target, start + at)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GIVE_UP_SECONDS + 1)
        self._pool.close()
        if self._faults:
            raise self._faults[0]
        self._result.seconds = loop.time() - start
        self._result.cpu_share = (_cpu_seconds() - used) / self._result.seconds
        return self._result

    def _launch(self, target: str, intended: float) -> None:
        tally = self._result.tallies[target]
        call = TARGETS[target](self._world)
        if call is None:
            tally.idle += 1
            return
        tally.sent += 1
        if len(self._under_way) >= MOST_AT_ONCE:
            tally.errors["not sent: too many under way"] += 1
            return
        task = asyncio.get_running_loop().create_task(self._send(target, tally, intended, call))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (fault := task.exception()):
            self._faults.append(fault)

    async def _send(self, target: str, tally: Tally, intended: float, call: Call) -> None:
        request, hear = call
        loop = asyncio.get_running_loop()
        sent = loop.time()
        self._result.lag.record(sent - intended)
        answer: Answer | None = None
        try:
            async with asyncio.timeout(GIVE_UP_SECONDS):
                answer = await self._pool.send(request)
            outcome = str(answer.status)
        except TimeoutError:
            outcome = f"no answer in {GIVE_UP_SECONDS:g} s"
        except NoAnswer as error:
            outcome = str(error)
        done = loop.time()
        tally.latency.record(done - intended)
        good = answer is not None and 200 <= answer.status < 300
        if answer is not None and good and (reason := _not_understood(hear, answer)):
            good, outcome = False, f"{outcome}, not understood: {reason}"
        if good:
            tally.ok += 1
        else:
            tally.errors[outcome] += 1
        self._tell(target, (intended, sent, done), outcome, answer)

    def _tell(self, target: str, times: tuple[float, float, float], outcome: str, answer: Answer | None) -> None:
        wall = time.time() - asyncio.get_running_loop().time()
        headers = answer.headers if answer else {}
        intended, sent, done = (moment + wall for moment in times)
        version, variant = headers.get("x-model-version", ""), headers.get("x-variant", "")
        self._watch(Done(target, intended, sent, done, outcome, version, variant))


def _not_understood(hear: Hear, answer: Answer) -> str | None:
    """Why an answer of a good status is a bad one all the same: the kind only, so that like ones count together."""
    try:
        hear(answer)
    except Exception as error:  # whatever a wrong body makes of a reader
        return type(error).__name__
    return None


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
