"""Attacks: a served graph and rows in, how often an attacker turns a right answer wrong out."""

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from schemas.evidence import Paired
from schemas.jobs.attack import AttackConditions, AttackResult, AttackSpec
from schemas.model.references import GraphRef
from workers.attack.environment import prepare
from workers.attack.task import Example, Outcome, Outcomes, Step, Task
from workers.data.manifest import count_trained_on, read_manifest, read_rows
from workers.data.rows import Row, canonical_of, rows_digest, written
from workers.evidence.measured import measured
from workers.evidence.paired import pair
from workers.evidence.statistics import wilson
from workers.graph.files import GraphFiles
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.tasks.target import target_module


@dataclass(frozen=True)
class Attacked:
    """What became of each row of one version."""

    examples: tuple[Example, ...]

    def count(self, outcome: Outcome) -> int:
        return sum(example.outcome == outcome for example in self.examples)


def handle(spec: AttackSpec, context: Context) -> AttackResult:
    if spec.graph is None:
        raise JobError("graph: expected the version's export; export it first")
    context.stage(f"drawing rows of {spec.dataset.dataset}/{spec.dataset.version}, split {spec.split}")
    rows = _sample(spec, context.artifacts)
    attacked = _attack(spec, spec.graph, rows, context)
    paired = None
    if spec.against_graph is not None:
        context.stage("attacking the other version on the same rows")
        paired = pair(_broken_pairs(attacked.examples, _attack_other(spec, spec.against_graph, rows, context)))
    return _result(spec, rows, attacked, paired, context.artifacts)


def _attack(spec: AttackSpec, graph: GraphRef, rows: Sequence[Row], context: Context) -> Attacked:
    task = _task(spec, graph, rows, context.artifacts)
    context.log(f"attacking {len(rows)} rows with {spec.recipe}, {spec.queries_per_word} queries a word read at most")
    context.progress(0, len(rows), f"starting {spec.recipe}")

    def report(step: Step) -> None:
        message = f"{step.succeeded} attacks succeeded, {step.out_of_budget} ran out of budget, {step.queries} queries"
        context.progress(step.done, len(rows), message, queries=step.queries)

    outcomes = run_isolated(task, context.workdir, report)
    context.log(f"network namespace of its own: {'yes' if outcomes.network_namespace else 'no, connections refused'}")
    found = Attacked(outcomes.examples)
    ends: tuple[Outcome, ...] = ("succeeded", "failed", "out of budget", "skipped")
    context.log("attacks: " + ", ".join(f"{found.count(end)} {end}" for end in ends))
    return found


def _attack_other(spec: AttackSpec, graph: GraphRef, rows: Sequence[Row], context: Context) -> list[Example | None]:
    """Row by row; None for one that the other version cannot answer right: it was wrong before any attack."""
    module = target_module(graph.identity.task.type)
    answerable = [module.is_answerable(row, graph.identity) for row in rows]
    examples = iter(_attack(spec, graph, list(compress(rows, answerable)), context).examples)
    return [next(examples) if one else None for one in answerable]


def _broken_pairs(mine: Sequence[Example], theirs: Sequence[Example | None]) -> list[tuple[bool, bool]]:
    """For each row that both answer right: was this broken, was the other. The unknown counts against this version."""
    return [
        (this.outcome != "failed", other.outcome == "succeeded")
        for this, other in zip(mine, theirs, strict=True)
        if other is not None and "skipped" not in (this.outcome, other.outcome)
    ]


def run_isolated(task: Task, workdir: Path, report: Callable[[Step], None]) -> Outcomes:
    """TextAttack changes its process's environment and would download: so it gets a process, and that no network."""
    workdir = workdir.resolve()  # it becomes the process's current folder
    environment = prepare(workdir)
    task_file, outcomes_file = workdir / "task.json", workdir / "outcomes.json"
    task_file.write_text(task.model_dump_json(), encoding="utf-8")
    outcomes_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "workers.attack", str(task_file), str(outcomes_file)]
    with (
        (workdir / "attack.log").open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, cwd=workdir
        ) as process,
    ):
        try:
            assert process.stdout is not None
            _follow(process.stdout, report)
            code = process.wait()
        finally:
            process.kill()
    return _outcomes(outcomes_file, code)


def _follow(lines: IO[bytes], report: Callable[[Step], None]) -> None:
    for line in lines:
        report(Step.model_validate_json(line))


def _outcomes(path: Path, code: int) -> Outcomes:
    try:
        outcomes = Outcomes.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        # Killed, out of memory perhaps: another worker may do better.
        raise JobError(f"the attack's process ended with code {code} and no outcomes", retryable=True) from error
    if outcomes.error:
        raise JobError(f"the attack failed: {outcomes.error}")
    return outcomes


def _sample(spec: AttackSpec, artifacts: ArtifactStore) -> list[Row]:
    rows = read_rows(artifacts, spec.dataset, spec.split)
    where = f"dataset {spec.dataset.dataset}/{spec.dataset.version} split {spec.split}"
    if not rows:
        raise JobError(f"{where} has no rows")
    target_module(spec.model_version.identity.task.type).check(rows, spec, where)
    # Sorted, so that versions of a dataset that share a split share the sample, however their parts lie.
    pool = sorted(rows, key=lambda row: written(canonical_of(row)))
    return random.Random(spec.seed).sample(pool, min(spec.rows, len(pool)))


def _task(spec: AttackSpec, graph: GraphRef, rows: Sequence[Row], artifacts: ArtifactStore) -> Task:
    return Task(
        spec=spec,
        identity=graph.identity,
        graph=GraphFiles.fetch(graph, artifacts),
        row_schema=spec.dataset.row_schema,
        rows=tuple(canonical_of(row) for row in rows),
        operators=read_manifest(artifacts, spec.dataset).operators,
    )


def _result(
    spec: AttackSpec, rows: Sequence[Row], found: Attacked, paired: Paired | None, artifacts: ArtifactStore
) -> AttackResult:
    examples = found.examples
    succeeded, failed, unknown = found.count("succeeded"), found.count("failed"), found.count("out of budget")
    attacked = succeeded + failed + unknown
    lines = "".join(example.model_dump_json() + "\n" for example in examples)
    return AttackResult(
        model_version=spec.model_version.id,
        conditions=AttackConditions.of(spec),
        rows_digest=rows_digest(map(canonical_of, rows)),
        rows_trained_on=count_trained_on(artifacts, rows, spec.trained_on),
        measurements=(
            measured(
                "attack_success_rate_at_worst", wilson(succeeded + unknown, attacked), unknown=unknown, paired=paired
            ),
            measured("accuracy_under_attack", wilson(failed, len(examples)), unknown=unknown),
            measured("clean_accuracy", wilson(attacked, len(examples))),
        ),
        succeeded=succeeded,
        failed=failed,
        out_of_budget=unknown,
        skipped=found.count("skipped"),
        success_rate=wilson(succeeded, attacked),
        mean_queries=sum(example.queries for example in examples) / max(1, attacked),
        examples=artifacts.put_bytes(lines.encode(), "application/jsonl"),
    )
