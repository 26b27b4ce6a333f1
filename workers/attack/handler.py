"""Attacks: a served graph and rows in, how often an attacker turns a right answer wrong out."""

import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from schemas.artifacts import ArtifactRef
from schemas.evidence import Paired
from schemas.jobs.attack import AttackConditions, AttackResult, AttackSpec
from schemas.model.references import GraphRef
from workers.attack.environment import prepare
from workers.attack.task import Example, LabeledText, Outcome, Outcomes, Step, Task
from workers.data.manifest import count_trained_on, read_split
from workers.data.rows import TextLabel, rows_digest
from workers.evidence.measured import measured
from workers.evidence.paired import pair
from workers.evidence.statistics import wilson
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context
from workers.runtime.errors import JobError


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
    rows = _sample(spec, spec.graph, context.artifacts)
    attacked = _attack(spec, spec.graph, rows, context)
    paired = None
    if spec.against_graph is not None:
        context.stage("attacking the other version on the same rows")
        paired = pair(_broken_pairs(attacked.examples, _attack_other(spec, spec.against_graph, rows, context)))
    return _result(spec, rows, attacked, paired, context.artifacts)


def _attack(spec: AttackSpec, graph: GraphRef, rows: Sequence[LabeledText], context: Context) -> Attacked:
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


def _attack_other(
    spec: AttackSpec, graph: GraphRef, rows: Sequence[LabeledText], context: Context
) -> list[Example | None]:
    """Row by row; None for one whose label the other version does not know: it was wrong before any attack."""
    known = [row for row in rows if row.label in graph.identity.classification.labels]
    examples = iter(_attack(spec, graph, known, context).examples)
    return [next(examples) if row.label in graph.identity.classification.labels else None for row in rows]


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


def _sample(spec: AttackSpec, graph: GraphRef, artifacts: ArtifactStore) -> list[LabeledText]:
    rows = read_split(artifacts, spec.dataset, spec.split)
    where = f"dataset {spec.dataset.dataset}/{spec.dataset.version} split {spec.split}"
    if not rows.texts:
        raise JobError(f"{where} has no rows")
    if unknown := sorted(set(rows.labels) - set(graph.identity.classification.labels)):
        raise JobError(f"{where} has labels that the model does not know: {', '.join(unknown)}")
    # Sorted, so that versions of a dataset that share a split share the sample, however their parts lie.
    pool = sorted(zip(rows.texts, rows.labels, strict=True))
    chosen = random.Random(spec.seed).sample(pool, min(spec.rows, len(pool)))
    return [LabeledText(text=text, label=label) for text, label in chosen]


def _task(spec: AttackSpec, graph: GraphRef, rows: Sequence[LabeledText], artifacts: ArtifactStore) -> Task:
    def local(ref: ArtifactRef) -> str:
        return str(artifacts.fetch(ref).resolve())

    return Task(
        base_graph=local(graph.base_graph),
        adapter=local(graph.adapter),
        tokenizer=local(graph.tokenizer),
        max_length=graph.identity.max_length,
        labels=graph.identity.classification.labels,
        recipe=spec.recipe,
        queries_per_word=spec.queries_per_word,
        query_budget=spec.query_budget,
        seed=spec.seed,
        rows=tuple(rows),
    )


def _result(
    spec: AttackSpec, rows: Sequence[LabeledText], found: Attacked, paired: Paired | None, artifacts: ArtifactStore
) -> AttackResult:
    examples = found.examples
    succeeded, failed, unknown = found.count("succeeded"), found.count("failed"), found.count("out of budget")
    attacked = succeeded + failed + unknown
    lines = "".join(example.model_dump_json() + "\n" for example in examples)
    return AttackResult(
        model_version=spec.model_version.id,
        conditions=AttackConditions.of(spec),
        rows_digest=rows_digest((row.text, row.label) for row in rows),
        rows_trained_on=count_trained_on(artifacts, [TextLabel(row.text, row.label) for row in rows], spec.trained_on),
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
