"""How long a committed job waits for its worker, and an event for its job, against one record through raw Kafka."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from uuid import uuid4

from kafka import KafkaProducer

from controlplane.settings import Settings
from controlplane.transport.kafka import create_topics
from schemas.cloudevent import InboundEvent
from schemas.kafka_binding import inbound_to_message
from schemas.topics import INBOUND
from tests.bench.parts import Options
from tests.bench.report import Goal, Ratio, alternate, percentile
from tests.support.jobs import CURATE
from tests.support.plant import Plant
from tests.support.processes import Process

PAUSE_SECONDS = 0.03
"""At most, between two: so that no one is measured against a loop's beat."""
Sample = Callable[[], float]
FLOOR = (
    "from the client's POST until the claim is in the worker's hands; the worker's loop and bell are the product's, "
    "its poll is at 60 s, so that only the bell wakes it. Floor: the POST, within which the job commits, and the claim "
    "are two HTTP requests with a transaction each, of which raw Kafka has none; their medians in this run:"
)


def measure(options: Options) -> list[Ratio]:
    broker = options.parts.kafka.bootstrap_servers
    found: list[Ratio] = []
    with _raw(options, broker) as raw:
        with _plant(options, "PostgreSQL", broker) as (plant, log):
            found += _job_starts(options, "Kafka and PostgreSQL", _Jobs(plant, log), raw)
            with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
                found += _event_starts(options, _Events(plant, log, producer), raw)
        with _plant(options, "SQLite", None) as (plant, log):
            found += _job_starts(options, "embedded", _Jobs(plant, log), raw)
    return found


def _job_starts(options: Options, mode: str, jobs: "_Jobs", raw: Sample) -> list[Ratio]:
    count = options.size(200, 5)
    rounds = alternate(options.rounds, lambda: _samples(jobs.sample, count), lambda: _samples(raw, count))
    posted, claimed = percentile(jobs.posts, 50), percentile(jobs.claims, 50)
    name, note = f"job posted → worker has it, {mode}", f"{FLOOR} {posted:.1f} ms and {claimed:.1f} ms"
    without = _ratios(f"{name}, without the floor", rounds, posted + claimed, Goal("at most", 2), note)
    return [*_ratios(name, rounds), *without]


def _event_starts(options: Options, events: "_Events", raw: Sample) -> list[Ratio]:
    count = options.size(60, 3)
    rounds = alternate(options.rounds, lambda: _samples(events.sample, count), lambda: _samples(raw, count))
    note = (
        "an outside event on `graftwork.inbound` → trigger → pipeline run → job → worker has it: two Kafka hops, "
        "two transactions and a claim of ours; raw is one hop"
    )
    return _ratios("event in → worker has its job, Kafka and PostgreSQL", rounds, note=note)


def _ratios(
    name: str,
    rounds: list[tuple[list[float], list[float]]],
    floor: float = 0.0,
    goal: Goal | None = None,
    note: str = "",
) -> list[Ratio]:
    """The median and the slowest hundredth; the goal is of the latter."""
    return [
        Ratio.of(
            f"{name}, p{percent}",
            "ms",
            [(max(percentile(ours, percent) - floor, 0.0), percentile(raw, percent)) for ours, raw in rounds],
            against="raw produce → consume",
            goal=goal if percent == 99 else None,
            note=note if percent == 99 else "",
        )
        for percent in (50, 99)
    ]


def _samples(sample: Sample, count: int) -> list[float]:
    found = []
    for _ in range(count):
        time.sleep(random.uniform(0.2, 1) * PAUSE_SECONDS)
        found.append(sample())
    return found


class _Log:
    """Lines `NAME NANOSECONDS TOOK` of a process, as they come."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._file = process.log.open()
        self._half = ""
        self._lines: dict[str, tuple[int, int]] = {}

    def close(self) -> None:
        self._file.close()

    def next(self, name: str | None = None) -> tuple[int, int]:
        """Of the line of that name, or of whichever comes next; fails with the process's last words."""
        deadline = time.monotonic() + 60
        while not (self._read() and (name is None or name in self._lines)):
            assert time.monotonic() < deadline, f"{self._process.name} heard nothing: {self._process.output()[-2000:]}"
            time.sleep(0.001)
        return self._lines.pop(name or next(iter(self._lines)))

    def _read(self) -> bool:
        *lines, self._half = (self._half + self._file.read()).split("\n")
        for line in lines:
            match line.split(" "):
                case [name, moment, took] if moment.isdigit() and took.isdigit():
                    self._lines[name] = int(moment), int(took)
        return bool(self._lines)


class _Jobs:
    """Asks for jobs, and hears when the worker has them."""

    def __init__(self, plant: Plant, log: _Log) -> None:
        self._plant = plant
        self._log = log
        self.posts: list[float] = []
        self.claims: list[float] = []

    def sample(self) -> float:
        began = time.monotonic_ns()
        job = self._plant.request("curate", CURATE)
        self.posts.append((time.monotonic_ns() - began) / 1e6)
        heard, took = self._log.next(job)
        self.claims.append(took / 1e6)
        return (heard - began) / 1e6


class _Events:
    """Publishes outside events to which a trigger listens, and hears when the worker has the job."""

    def __init__(self, plant: Plant, log: _Log, producer: KafkaProducer) -> None:
        self._log = log
        self._producer = producer
        plant.put("/v1/pipelines/bench", {"name": "bench", "stages": {"curate": {"kind": "curate", "spec": CURATE}}})
        plant.put(
            "/v1/triggers/bench",
            {
                "name": "bench",
                "pipeline": "bench",
                "types": ["com.example.rows"],
                "sources": ["/bench"],
                "cooldown_seconds": 0,
                "daily_budget": 1_000_000,
            },
        )

    def sample(self) -> float:
        event = InboundEvent.model_validate(
            {"specversion": "1.0", "id": str(uuid4()), "source": "/bench", "type": "com.example.rows"}
        )
        message = inbound_to_message(event)
        began = time.monotonic_ns()
        self._producer.send(INBOUND, key=message.key, value=message.value, headers=list(message.headers))
        return (self._log.next()[0] - began) / 1e6


@contextmanager
def _listening(process: Process) -> Iterator[_Log]:
    with closing(_Log(process)) as log:
        log.next("ready")
        yield log


@contextmanager
def _raw(options: Options, broker: str) -> Iterator[Sample]:
    """One record to a consumer in another process."""
    topic = f"bench-{uuid4().hex[:8]}"
    options.parts.kafka.create_topic(topic, 6)
    with options.parts.processes() as processes, closing(KafkaProducer(bootstrap_servers=broker)) as producer:
        listener = processes.python("listener", "-m", "tests.bench.listener", broker, topic)
        with _listening(listener) as log:

            def sample() -> float:
                name, began = str(uuid4()), time.monotonic_ns()
                producer.send(topic, key=name.encode(), value=name.encode())
                return (log.next(name)[0] - began) / 1e6

            yield sample


@contextmanager
def _plant(options: Options, kind: str, broker: str | None) -> Iterator[tuple[Plant, _Log]]:
    """API and worker; on Kafka also relay and reactions."""
    with ExitStack() as stack:
        database = stack.enter_context(options.parts.database(kind))
        processes = stack.enter_context(options.parts.processes())
        plant = stack.enter_context(closing(Plant(processes, processes.folder, database.url)))
        plant.env |= {"GRAFTWORK_WORKER_POLL_SECONDS": "60", "GRAFTWORK_JOB_LEASE_SECONDS": "60"}
        if broker:
            plant.env["GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS"] = broker
            create_topics(Settings(kafka_bootstrap_servers=broker))
        plant.api()
        for name in ("relay", "reactions") if broker else ():
            plant.run("-m", "controlplane", name)
        log = stack.enter_context(_listening(plant.run("-m", "tests.bench.claimer", "curate")))
        _Jobs(plant, log).sample()  # every process has joined in
        yield plant, log
