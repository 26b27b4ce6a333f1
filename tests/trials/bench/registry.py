"""Promoting, and asking for the champion with its artifact, against MLflow on the same PostgreSQL, both over HTTP."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial

from controlplane.store.database import Database
from tests.support.builders.planted import plant_job, plant_model, plant_version
from tests.support.missing import Missing
from tests.support.worlds.machine import TOKEN, Machine
from tests.trials.bench import mlflow
from tests.trials.bench.http import Connection
from tests.trials.bench.parts import Options
from tests.trials.bench.report import Goal, Ratio, alternate, percentile

CLIENTS = 4
WORKERS = 1
"""Processes of each server: ours is one by design, so MLflow gets one too; and MLflow's own default beside it."""
DEFAULT_WORKERS = 4
MODELS = [f"sentiment-{number}" for number in range(CLIENTS)]
NOTE = (
    f"{CLIENTS} clients, each with one kept-alive connection and a model of its own; one PostgreSQL server. Ours "
    "checks a bearer token and its role on every request, which MLflow does not by default"
)
READ = (
    NOTE + ". One request each, which answers the whole version: ours (`/v1/model-versions/MODEL@champion`) with the "
    "artifact's digest, which is its place in the store, and size, base model, labels, privacy, job, maker, aliases, "
    "attachments and lineage (here it has neither attachments nor ancestors); MLflow with source, run, status, "
    "description, times and aliases (here it has no tags and no run)"
)
BEYOND = NOTE + ", and a promotion of ours is a compare-and-swap (If-Match), writes a history row and announces a fact"

Work = Callable[[int, int], None]
"""Client number and turn."""


class Ours:
    """One kept-alive connection a client."""

    def __init__(self, machine: Machine, database: Database) -> None:
        for model in MODELS:
            register(database, model)
        headers = {"authorization": f"Bearer {TOKEN}"}
        url = machine.env["GRAFTWORK_API_URL"]
        self._clients = [Connection(url, headers) for _ in MODELS]
        first = {"if-none-match": "*"}
        self._etags = [self._move(number, 1, first) for number in range(CLIENTS)]

    def read(self, number: int, _turn: int) -> None:
        version = self._clients[number].get(f"/v1/model-versions/{MODELS[number]}@champion")
        assert version["version"]
        assert version["adapter"]["digest"]

    def promote(self, number: int, turn: int) -> None:
        self._etags[number] = self._move(number, turn % 2 + 1, {"if-match": self._etags[number]})

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def _move(self, number: int, version: int, precondition: dict[str, str]) -> str:
        body = {"model_version": f"{MODELS[number]}/{version}", "reason": "a benchmark"}
        return str(self._clients[number].put(_alias(number), body, precondition).headers["etag"])


class Theirs:
    """The same with MLflow's REST API, which its own client speaks."""

    def __init__(self, url: str) -> None:
        self._clients = [Connection(url) for _ in MODELS]

    def read(self, number: int, _turn: int) -> None:
        version = mlflow.champion(self._clients[number], MODELS[number])
        assert version["version"]
        assert version["source"]

    def promote(self, number: int, turn: int) -> None:
        mlflow.promote(self._clients[number], MODELS[number], turn % 2 + 1)

    def close(self) -> None:
        for client in self._clients:
            client.close()


def register(database: Database, model: str) -> None:
    """Two versions, as two jobs would have made them."""
    with database.begin("bench") as uow:
        plant_model(uow, model, versions=2)
        job = plant_job(uow, phase="Succeeded")
        for number in (1, 2):
            plant_version(uow, job, number, model=model)


def _alias(number: int) -> str:
    return f"/v1/models/{MODELS[number]}/aliases/champion"


@dataclass(frozen=True)
class Took:
    """One round of one side."""

    per_second: float
    p50_ms: float
    p99_ms: float


def measure(options: Options) -> list[Ratio]:
    if options.smoke and not mlflow.is_installed():
        raise Missing(f"MLflow {mlflow.VERSION} is not installed here, and a smoke run installs nothing")
    found = []
    for workers in (WORKERS, DEFAULT_WORKERS)[: options.size(2, 1)]:
        with ExitStack() as stack:
            database = stack.enter_context(options.parts.database("PostgreSQL"))
            processes = stack.enter_context(options.parts.processes())
            machine = stack.enter_context(closing(Machine.apart(processes, database.url)))
            machine.api()
            ours = Ours(machine, database)
            theirs = Theirs(stack.enter_context(mlflow.server(options.parts, workers, MODELS)))
            against = f"MLflow {mlflow.VERSION}, {workers} worker{'s' if workers > 1 else ''}"
            stack.callback(ours.close)
            stack.callback(theirs.close)
            for what, mine, other, note in (
                ("read the champion with its artifact", ours.read, theirs.read, READ),
                ("promote", ours.promote, theirs.promote, BEYOND),
            ):
                found += _compare(options, f"{what} ({against})", mine, other, note)
    return found


def _compare(options: Options, name: str, ours: Work, theirs: Work, note: str) -> list[Ratio]:
    turns = options.size(80, 3)
    rounds = alternate(options.rounds, partial(_run, ours, turns), partial(_run, theirs, turns))
    goal = Goal("at least", 5)
    throughput = [(one.per_second, other.per_second) for one, other in rounds]
    p50 = [(one.p50_ms, other.p50_ms) for one, other in rounds]
    p99 = [(one.p99_ms, other.p99_ms) for one, other in rounds]
    return [
        Ratio.of(f"{name}, throughput", "requests/s", throughput, against="MLflow", goal=goal, note=note),
        Ratio.of(f"{name}, p50", "ms", p50, against="MLflow", compare="alternative / ours", goal=goal),
        Ratio.of(f"{name}, p99", "ms", p99, against="MLflow", compare="alternative / ours"),
    ]


def _run(work: Work, turns: int) -> Took:
    """Every client as fast as it is answered."""
    took: list[float] = []

    def client(number: int) -> None:
        for turn in range(turns):
            began = time.monotonic()
            work(number, turn)
            took.append((time.monotonic() - began) * 1000)

    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    seconds = time.monotonic() - began
    return Took(len(took) / seconds, percentile(took, 50), percentile(took, 99))
