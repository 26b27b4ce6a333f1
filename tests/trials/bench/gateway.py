"""A gateway over HTTP against a bare onnxruntime loop, and the served graph against the same model in PyTorch eager."""

import http.client
import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import numpy as np

from tests.support.readiness import is_ready
from tests.support.waiting import wait_for
from tests.trials.bench.models import Bare, Eager, Files, Texts, served_files, served_session
from tests.trials.bench.open_loop import failures, p99_ms, predictions
from tests.trials.bench.parts import Options
from tests.trials.bench.report import Goal, Ratio, alternate, percentile
from tests.trials.load.arrivals import schedule
from tests.trials.load.site import Site

SEED = 1
HALF_LOAD_SECONDS = 12.0
BATCH = 32
CLIENTS = {1: 8, BATCH: 2}
"""At once, so that the gateway never waits for one: by rows of a request."""
MODEL_NOTE = "all-MiniLM-L6-v2 with a LoRA adapter, real reviews of 6 to 54 tokens, one compute thread on both sides"
BARE = "onnxruntime loop"


@dataclass(frozen=True)
class Bench:
    options: Options
    site: Site
    bare: Bare
    texts: Texts

    def ratio(self, name: str, unit: str, ours: Callable[[], float], other: Callable[[], float]) -> Ratio:
        pairs = alternate(self.options.rounds, ours, other)
        return Ratio.of(name, unit, pairs, against=BARE, note=MODEL_NOTE)


def measure(options: Options) -> list[Ratio]:
    found = options.parts.site
    wait_for(lambda: is_ready(found.gateways[0]), "the gateway has loaded what it serves", seconds=60)
    files = served_files(found)
    texts = [text for text, _ in found.rows]
    bench = Bench(options, found, Bare(files), texts)
    ratios = [*_alone(bench), _at_half_load(bench), *(_rows_a_second(bench, rows) for rows in CLIENTS)]
    # nobody asks the gateways any more
    return [*ratios, *_against_eager(options, files, bench.bare, texts)]


def _alone(bench: Bench) -> list[Ratio]:
    """One caller, who asks again when answered: nothing queues."""
    count = bench.options.size(250, 5)

    def over_http() -> list[float]:
        with _caller(bench.site.gateways[0]) as ask:
            return _timed(bench.texts, count, lambda text: ask([text]))

    bare = partial(_timed, bench.texts, count, lambda text: bench.bare.logits([text]))
    pairs = alternate(bench.options.rounds, over_http, bare)
    p50, p99 = ([(percentile(a, p), percentile(b, p)) for a, b in pairs] for p in (50, 99))
    overhead = Ratio.of(
        "gateway, one caller, one row: p50 beyond the model's own",
        "ms",
        p50,
        against=BARE,
        compare="ours - alternative",
        goal=Goal("at most", 3.0),
        note=f"{MODEL_NOTE}; HTTP, JSON, split, journal, count, signature and the hand-over between two threads",
    )
    return [overhead, Ratio.of("gateway, one caller, one row: p99", "ms", p99, against=BARE, note=MODEL_NOTE)]


def _at_half_load(bench: Bench) -> Ratio:
    """The same Poisson arrivals of the same texts, from the intended time, at half of what the bare loop can do."""
    seconds = bench.options.size(int(HALF_LOAD_SECONDS), 1)
    rate = 0.5 * 1e3 / _mean(_timed(bench.texts, bench.options.size(200, 5), lambda text: bench.bare.logits([text])))
    seeds = iter(range(SEED, 10_000))
    seed = 0

    def over_http() -> float:
        return _served_p99(bench.site, rate, seconds, seed)

    def bare() -> float:
        return _queued_p99(bench, rate, seconds, seed)

    pairs = []
    for number in range(bench.options.rounds):
        seed = next(seeds)
        pairs.append((over_http(), bare()) if number % 2 else tuple(reversed((bare(), over_http()))))
    return Ratio.of(
        "gateway at half load, one row: p99",
        "ms",
        pairs,  # type: ignore[arg-type]
        against="the same loop with the same arrivals in its queue",
        goal=Goal("at most", 1.3),
        note=f"{MODEL_NOTE}; {rate:.0f} requests/s, open loop, timed from the intended time; one gateway",
    )


def _served_p99(found: Site, rate: float, seconds: float, seed: int) -> float:
    done = predictions(found, rate=rate, seconds=seconds, seed=seed)
    assert not failures(done), failures(done)[:3]
    return p99_ms(done)


def _queued_p99(bench: Bench, rate: float, seconds: float, seed: int) -> float:
    """First come, first served, by one thread."""
    dice = random.Random(seed)
    due = [
        (at, dice.choice(bench.site.rows)[0])
        for at, _ in schedule({"predict": 1}, rate=rate, seconds=seconds, spacing="poisson", seed=seed)
    ]
    began = time.perf_counter()
    latencies = []
    for at, text in due:
        time.sleep(max(0.0, began + at - time.perf_counter()))
        bench.bare.logits([text])
        latencies.append((time.perf_counter() - began - at) * 1e3)
    return percentile(latencies, 99)


def _rows_a_second(bench: Bench, rows: int) -> Ratio:
    """As fast as it goes: enough callers that the gateway always has one waiting."""
    requests = bench.options.size(320 if rows == 1 else 16, 2)
    batches = _batches(bench.texts, rows, requests)

    def over_http() -> float:
        return rows * requests / _elapsed(lambda: _ask_all(bench.site.gateways[0], batches, CLIENTS[rows]))

    def bare() -> float:
        return rows * requests / _elapsed(lambda: [bench.bare.logits(batch) for batch in batches])

    return bench.ratio(f"gateway, {rows} rows a request: throughput", "rows/s", over_http, bare)


def _against_eager(options: Options, files: Files, bare: Bare, texts: Texts) -> list[Ratio]:
    """The gateway's session, which computes rows of like lengths together; and its graph alone, on the same padding."""
    eager = Eager(files)
    session = served_session(files)
    for other in (eager.with_adapter, eager.merged, session):  # else two models are compared
        np.testing.assert_allclose(bare.logits(texts[:BATCH]), other(texts[:BATCH]), atol=1e-3)
    goals = {1: Goal("at least", 1.7), BATCH: Goal("at least", 1.0)}
    beside = "the adapter's layers beside the base's"
    ratios = []
    for rows, goal in goals.items():
        pairs: tuple[tuple[str, _Logits, str, _Logits, dict[str, object]], ...] = (
            ("the gateway's session", session, beside, eager.with_adapter, {"goal": goal}),
            ("its graph alone", bare.logits, beside, eager.with_adapter, {"beside_goal": True}),  # the same padding
            ("its graph alone", bare.logits, "the adapter folded in", eager.merged, {}),
        )
        batches = _batches(texts, rows, options.size(120 if rows == 1 else 5, 2))
        for ours, run_ours, theirs, run_theirs, judged in pairs:
            measured = alternate(
                options.rounds, partial(_speed, run_ours, batches), partial(_speed, run_theirs, batches)
            )
            ratios.append(
                Ratio.of(
                    f"{ours}, {rows} rows a call, against PyTorch eager with {theirs}",
                    "rows/s",
                    measured,
                    against="PyTorch eager",
                    note=f"{MODEL_NOTE}; tokenising is part of both, float32",
                    **judged,
                )
            )
    return ratios


_Logits = Callable[[Texts], object]


def _speed(logits: _Logits, batches: Sequence[Texts]) -> float:
    return sum(map(len, batches)) / _elapsed(lambda: [logits(batch) for batch in batches])


def _batches(texts: Texts, rows: int, count: int) -> list[list[str]]:
    dice = random.Random(SEED)
    return [dice.choices(texts, k=rows) for _ in range(count)]


def _timed(texts: Texts, count: int, ask: Callable[[str], object]) -> list[float]:
    """Milliseconds of each."""
    dice = random.Random(SEED)
    return [1e3 * _elapsed(partial(ask, dice.choice(texts))) for _ in range(count)]


def _elapsed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


class _caller:
    """A caller's connection, kept alive."""

    def __init__(self, gateway: str) -> None:
        parts = urlsplit(gateway)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def __enter__(self) -> Callable[[Texts], None]:
        return self._ask

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _ask(self, texts: Texts) -> None:
        body = json.dumps({"texts": list(texts)})
        while True:
            self._connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
            answer = self._connection.getresponse()
            data = answer.read()
            if not (wait := answer.headers.get("retry-after")):
                break
            time.sleep(float(wait))  # a refusal costs the gateway its time, and the bench no round
        assert answer.status == 200, data


def _ask_all(gateway: str, batches: Sequence[Texts], clients: int) -> None:
    def use(number: int) -> None:
        with _caller(gateway) as ask:
            for batch in batches[number::clients]:
                ask(batch)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(use, range(clients)))
