"""What a job of every kind costs to start, cold and warm, in one run: `python -m tests.trials.bench.warm_start`."""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from schemas.jobs import JobKind, JobResult, JobSpec
from schemas.jobs.export import ExportResult
from tests.support.builders.adapters import random_adapter
from tests.support.builders.bases import build_tiny_base
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import (
    attack_spec,
    curate_spec,
    evaluate_spec,
    export_spec,
    lora,
    merge_spec,
    source_at,
)
from tests.support.workbench import Workbench
from workers.base.loading import base_digest
from workers.runtime.messages import AttemptMessage, Task
from workers.runtime.process import JobProcess
from workers.runtime.settings import WorkerSettings
from workers.runtime.start import Started, start_cold
from workers.runtime.warm import Starter

Start = Callable[[JobKind], Started]


@dataclass(frozen=True)
class Cost:
    """What one job costs, from the order to the end of its process."""

    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True)
class Row:
    kind: JobKind
    cold: Cost
    warm: Cost

    def __str__(self) -> str:
        cells = [f"{cost.cpu_seconds:.2f} | {cost.wall_seconds:.2f}" for cost in (self.cold, self.warm)]
        ratio = self.warm.cpu_seconds / self.cold.cpu_seconds
        return f"| {self.kind} | {' | '.join(cells)} | {ratio:.2f} |"


class Jobs:
    """Small real jobs: a base of two layers, a few rows, so that what is measured is mostly how they begin."""

    def __init__(self, root: Path) -> None:
        self._bench = Workbench(root, build_tiny_base(root / "bases" / "tiny"))
        self._file = root / "bases" / "rows.csv"
        self._file.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in planted_rows(100)))
        settings = WorkerSettings(home=root, artifacts_url=f"file://{root}/artifacts", file_roots=(root / "bases",))
        self._stores = settings.stores()

    def specs(self) -> Iterator[JobSpec]:
        """One of every kind."""
        bench, digest = self._bench, base_digest(self._bench.base)
        dataset = bench.dataset(train=planted_rows(40), test=planted_rows(8, seed=1))
        first, second = (bench.store(random_adapter(digest, r=2, seed=seed), seed) for seed in (1, 2))
        export = export_spec(first)
        exported = self.run(export, lambda _: start_cold())[0]
        assert isinstance(exported, ExportResult)
        yield curate_spec(source_at(self._file))
        yield bench.train_spec(dataset, method=lora(r=2))
        yield merge_spec(first, second, weights=(0.5, 0.5))
        yield export
        yield evaluate_spec(first, exported.graph, dataset=dataset)
        yield attack_spec(first, exported.graph, dataset=dataset, rows=2, query_budget=20)

    def run(self, spec: JobSpec, start: Start) -> tuple[JobResult, Cost]:
        """One job to its result. Its processor time is that of every process that ended meanwhile."""
        said: list[AttemptMessage] = []
        with tempfile.TemporaryDirectory() as workdir:
            task = Task(
                kind=spec.kind,
                spec=spec.model_dump(mode="json"),
                checkpoint=None,
                workdir=Path(workdir),
                stores=self._stores,
                worker_pid=os.getpid(),
            )
            cpu, wall = _children_cpu(), time.monotonic()
            started = start(spec.kind)
            process = JobProcess(task, started, said.append)
            started.process.wait()
            process.close()
        results = [one.result for one in said if one.result]
        if not results:
            raise SystemExit(f"the {spec.kind} job failed: {[one.fault or one.log for one in said][-5:]}")
        return results[0], Cost(_children_cpu() - cpu, time.monotonic() - wall)


def measure(jobs: Jobs, rounds: int) -> Iterator[Row]:
    """Cold and warm in turn, so that both meet the same machine; the first warm one, which loads, is left out."""
    starter = Starter(warm_seconds=600)
    try:
        for spec in jobs.specs():
            ways: dict[str, Start] = {
                "cold": lambda _: start_cold(),
                "warm": lambda kind: starter.start(kind, lambda: False),
            }
            jobs.run(spec, ways["warm"])
            costs: dict[str, list[Cost]] = {"cold": [], "warm": []}
            for _ in range(rounds):
                for way, start in ways.items():
                    costs[way].append(jobs.run(spec, start)[1])
            yield Row(spec.kind, _median(costs["cold"]), _median(costs["warm"]))
    finally:
        before = _children_cpu()
        starter.close()
        print(f"\nThe fork server itself, once for all of them: {_children_cpu() - before:.1f} CPU-s")


def _median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(values) for values in zip(*(asdict(cost).values() for cost in costs), strict=True)))


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.bench.warm_start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="jobs of every kind and way; the median counts")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds {arguments.rounds}: expected at least 1")
    rows = []
    print("| kind | cold CPU-s | cold s | warm CPU-s | warm s | warm / cold CPU |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for row in measure(Jobs(Path(folder)), arguments.rounds):
            print(row, flush=True)
            rows.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
