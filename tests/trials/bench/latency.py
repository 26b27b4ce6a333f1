"""How long a committed job waits for its worker, and an event for its job, against one record through raw Kafka."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import uuid4

from kafka import KafkaProducer
from sqlmodel import select

from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import EventRow
from controlplane.transport.kafka import create_topics
from schemas.cloudevent import InboundEvent
from schemas.facts import JobRequested
from schemas.kafka_binding import inbound_to_message
from schemas.topics import INBOUND
from tests.support.builders.specs import CURATE
from tests.support.processes import Process
from tests.support.worlds.machine import Machine
from tests.trials.bench.heard import Log
from tests.trials.bench.parts import Options, Unmeasured
from tests.trials.bench.report import Goal, Ratio, alternate, percentile

T = TypeVar("T")
PAUSE_SECONDS = 0.03
"""At most, between two: so that no one is measured against a loop's beat."""
TRIES: Final = 5
RAW = "raw produce → consume"
WOKEN = (
    "the worker is idle, its loop and bell are the product's, its poll is at 60 s, so that only the bell wakes it. "
    "From the time of the job's first fact, which is taken under the commit lock before it is written and committed, "
    "until the worker's claim leaves; raw: from before `send` until the record is in the consumer's hands"
)
WHOLE = (
    "from before the client's POST until the claim is in the worker's hands: with two HTTP requests and a transaction "
    "each, of which raw Kafka has none. At the median"
)


@dataclass(frozen=True)
class Start:
    """How one job came to its worker: nanoseconds by the wall clock, which the database on this machine shares."""

    posted: int
    committed: int
    """Not before: the time of its first fact, which SQLite cuts to the millisecond."""
    claim_left: int
    had: int


def measure(options: Options) -> list[Ratio]:
    broker = options.parts.kafka.bootstrap_servers
    found: list[Ratio] = []
    with _raw(options, broker) as raw:
        with _machine(options, "PostgreSQL", broker) as jobs:
            found += _job_starts(options, "Kafka and PostgreSQL", jobs, raw)
            with closing(KafkaProducer(bootstrap_servers=broker)) as producer:
                found += _event_starts(options, Events(jobs.machine, jobs.log, producer), raw)
        with _machine(options, "SQLite", None) as jobs:
            found += _job_starts(options, "embedded", jobs, raw)
    return found


def _job_starts(options: Options, mode: str, jobs: "Jobs", raw: Callable[[], float]) -> list[Ratio]:
    count = options.size(200, 5)
    rounds = alternate(options.rounds, lambda: _samples(jobs.sample, count), lambda: _samples(raw, count))
    return job_ratios(mode, rounds)


def job_ratios(mode: str, rounds: list[tuple[list[Start], list[float]]]) -> list[Ratio]:
    """What raw Kafka has too, which has the goal; and beside it everything that a user waits for."""
    starts = [one for ours, _ in rounds for one in ours]
    post = percentile([ms(one.committed - one.posted) for one in starts], 50)
    claim = percentile([ms(one.had - one.claim_left) for one in starts], 50)
    whole = f"{WHOLE} the POST took {post:.1f} ms until the commit, and the claim {claim:.1f} ms"
    waits = [([ms(one.claim_left - one.committed) for one in ours], raw) for ours, raw in rounds]
    journeys = [([ms(one.had - one.posted) for one in ours], raw) for ours, raw in rounds]
    return [
        *_ratios(f"job committed → its worker's claim leaves, {mode}", waits, WOKEN, goal=Goal("at most", 2)),
        *_ratios(f"job posted → worker has it, {mode}", journeys, whole, beside_goal=True),
    ]


def _event_starts(options: Options, events: "Events", raw: Callable[[], float]) -> list[Ratio]:
    count = options.size(60, 3)
    rounds = alternate(options.rounds, lambda: _samples(events.sample, count), lambda: _samples(raw, count))
    note = (
        "an outside event on `graftwork.inbound` → trigger → pipeline run → job → an idle worker has it: two Kafka "
        "hops, two transactions and a claim of ours; raw is one hop"
    )
    return _ratios("event in → worker has its job, Kafka and PostgreSQL", rounds, note)


def _ratios(name: str, rounds: list[tuple[list[float], list[float]]], note: str, **judged: object) -> list[Ratio]:
    """The median and the slowest hundredth; what is judged is the latter."""
    return [
        Ratio.of(
            f"{name}, p{percent}",
            "ms",
            [(percentile(ours, percent), percentile(raw, percent)) for ours, raw in rounds],
            against=RAW,
            note=note,
            **(judged if percent == 99 else {}),
        )
        for percent in (50, 99)
    ]


def _samples(sample: Callable[[], T], count: int) -> list[T]:
    found = []
    for _ in range(count):
        time.sleep(random.uniform(0.2, 1) * PAUSE_SECONDS)
        found.append(sample())
    return found


def ms(nanoseconds: int) -> float:
    return nanoseconds / 1e6


class Jobs:
    """Asks for jobs, and hears when the worker has them."""

    def __init__(self, machine: Machine, log: Log, database: Database) -> None:
        self.machine = machine
        self.log = log
        self._database = database

    def sample(self) -> Start:
        """How an idle worker starts a job, after which it is idle again.

        A claim that happened to leave before the commit was not woken by it, and would count as less than nothing: such
        a job is asked for again.
        """
        for _ in range(TRIES):
            start = self._start()
            if start.claim_left >= start.committed:
                return start
        raise Unmeasured(f"{TRIES} jobs in a row were claimed by requests that had left before they were committed")

    def _start(self) -> Start:
        posted = time.time_ns()
        job = self.machine.request("curate", CURATE)
        left, had = self.log.next(job)
        self.log.until_idle(had)
        return Start(posted, _committed(self._database, job), left, had)


def _committed(database: Database, job: str) -> int:
    """The time of a job's first fact."""
    times = select(EventRow.time).where(EventRow.subject == f"job/{job}", EventRow.type == JobRequested.TYPE)
    with database.read() as session:
        return int(session.exec(times).one().timestamp() * 1e6) * 1000


class Events:
    """Publishes outside events to which a trigger listens, and hears when the worker has the job."""

    def __init__(self, machine: Machine, log: Log, producer: KafkaProducer) -> None:
        self._log = log
        self._producer = producer
        machine.put("/v1/pipelines/bench", {"name": "bench", "stages": {"curate": {"kind": "curate", "spec": CURATE}}})
        machine.put(
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
        """Milliseconds until the worker has the job whose journey this event began, not another event's late one."""
        event = InboundEvent.model_validate(
            {"specversion": "1.0", "id": str(uuid4()), "source": "/bench", "type": "com.example.rows"}
        )
        message = inbound_to_message(event)
        began = time.time_ns()
        self._producer.send(INBOUND, key=message.key, value=message.value, headers=list(message.headers))
        _, had = self._log.next(event.correlationid)
        self._log.until_idle(had)
        return ms(had - began)


@contextmanager
def _listening(process: Process) -> Iterator[Log]:
    with closing(Log(process)) as log:
        log.next("ready")
        yield log


@contextmanager
def _raw(options: Options, broker: str) -> Iterator[Callable[[], float]]:
    """One record to a consumer in another process."""
    topic = f"bench-{uuid4().hex[:8]}"
    options.parts.kafka.create_topic(topic, 6)
    with options.parts.processes() as processes, closing(KafkaProducer(bootstrap_servers=broker)) as producer:
        listener = processes.python("listener", "-m", "tests.trials.bench.listener", broker, topic)
        with _listening(listener) as log:

            def sample() -> float:
                name, began = str(uuid4()), time.time_ns()
                producer.send(topic, key=name.encode(), value=name.encode())
                return ms(log.next(name)[1] - began)

            yield sample


@contextmanager
def _machine(options: Options, kind: str, broker: str | None) -> Iterator[Jobs]:
    """API and worker; on Kafka also relay and reactions."""
    with ExitStack() as stack:
        database = stack.enter_context(options.parts.database(kind))
        processes = stack.enter_context(options.parts.processes())
        machine = stack.enter_context(closing(Machine.apart(processes, database.url)))
        machine.env |= {"GRAFTWORK_WORKER_POLL_SECONDS": "60", "GRAFTWORK_JOB_LEASE_SECONDS": "60"}
        if broker:
            machine.env["GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS"] = broker
            create_topics(Settings(kafka_bootstrap_servers=broker))
        machine.api()
        for name in ("relay", "reactions") if broker else ():
            machine.start("-m", "controlplane", name)
        log = stack.enter_context(_listening(machine.start("-m", "tests.trials.bench.claimer", "curate")))
        jobs = Jobs(machine, log, database)
        jobs.sample()  # every process has joined in
        yield jobs
