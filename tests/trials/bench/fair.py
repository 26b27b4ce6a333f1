"""Small requests beside a large one that is always under way, against the same small requests without it."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median

from tests.support.readiness import is_ready
from tests.support.waiting import wait_for
from tests.trials.bench.http import Connection
from tests.trials.bench.open_loop import failures, p99_ms, predictions
from tests.trials.bench.parts import Options, Unmeasured
from tests.trials.bench.report import Goal, Ratio, alternate
from tests.trials.load.generator import Done
from tests.trials.load.site import Site

RATE = 50.0
"""Small requests a second."""
SECONDS = 20
ROWS = 64
WORDS = 512
"""Words in each row of the large request: no version reads more tokens, and a word is one at least."""
WITHOUT = "without it"


@dataclass(frozen=True)
class Turn:
    """What came of the small requests, and how long each large one took that was answered beside them."""

    small: Sequence[Done]
    large_seconds: Sequence[float] = ()


@dataclass
class Load:
    """Both sides meet the same arrivals, turn by turn."""

    site: Site
    seconds: float
    large: list[str]
    _seeds_beside: Iterator[int] = field(default_factory=itertools.count)
    _seeds_without: Iterator[int] = field(default_factory=itertools.count)

    def beside(self) -> Turn:
        """Another large request is sent as soon as one is answered."""
        ended = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(self._ask, ended)
            try:
                small = self._small(next(self._seeds_beside))
            finally:
                ended.set()
        return Turn(small, asking.result())

    def without(self) -> Turn:
        return Turn(self._small(next(self._seeds_without)))

    def _small(self, seed: int) -> list[Done]:
        return predictions(self.site, rate=RATE, seconds=self.seconds, seed=seed)

    def _ask(self, ended: threading.Event) -> list[float]:
        seconds: list[float] = []
        with closing(Connection(self.site.gateways[0])) as connection:
            while not seconds or not ended.is_set():
                began = time.perf_counter()
                self._ask_once(connection)
                seconds.append(time.perf_counter() - began)
        return seconds

    def _ask_once(self, connection: Connection) -> None:
        try:
            connection.post("/v1/predict", {"texts": self.large})
        except AssertionError as refusal:
            raise Unmeasured(f"without a large request nothing is beside it: {refusal}") from refusal


def measure(options: Options) -> list[Ratio]:
    found = options.parts.site
    wait_for(lambda: is_ready(found.gateways[0]), "the gateway has loaded what it serves", seconds=60)
    large = _large([text for text, _ in found.rows], options.size(ROWS, 2))
    load = Load(found, options.size(SECONDS, 1), large)
    return ratios(alternate(options.rounds, load.beside, load.without))


def ratios(turns: Sequence[tuple[Turn, Turn]]) -> list[Ratio]:
    note = (
        f"{RATE:g} requests/s of one row, Poisson, from the intended time; {ROWS} rows at maximum length; one gateway"
    )
    failed = [
        Counter(outcome for turn in side for outcome in failures(turn.small)) for side in zip(*turns, strict=True)
    ]
    kinds = "".join(f"; {count} x {outcome}" for outcome, count in failed[0].most_common())
    return [
        Ratio.of(
            "small requests beside a large one: p99",
            "ms",
            [(p99_ms(beside.small), p99_ms(without.small)) for beside, without in turns],
            against=WITHOUT,
            goal=Goal("at most", 2.0),
            note=note,
        ),
        Ratio(
            "small requests beside a large one: how many failed",
            "requests",
            (float(failed[0].total()),),
            (float(failed[1].total()),),
            WITHOUT,
            compare="ours",
            goal=Goal("at most", 0),
            note=f"of {sum(len(beside.small) for beside, _ in turns)}; {note}{kinds}",
        ),
        Ratio(
            "the large request beside them",
            "s",
            tuple(median(beside.large_seconds) for beside, _ in turns),
            compare="ours",
            note=f"the deadline is the policy's default; {note}",
        ),
    ]


def _large(texts: Sequence[str], rows: int) -> list[str]:
    """Real words, each row's its own."""
    words = itertools.cycle(" ".join(texts).split())
    return [" ".join(itertools.islice(words, WORDS)) for _ in range(rows)]
