"""A spec and a result that answers it, of each kind of job and each way of asking."""

from typing import Any
from uuid import UUID

from controlplane.domain.claims import Claim
from controlplane.kinds import contradiction
from schemas.artifacts import Split
from schemas.jobs import JobResult, JobSpec
from schemas.jobs.attack import AttackResult, AttackSpec
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec
from schemas.jobs.train import Privacy
from tests.support.builders.artifacts import digest
from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import GENERATOR, graph_ref, identified_as, model_ref
from tests.support.builders.results import (
    TEST_ROWS,
    attacked,
    beside,
    curated,
    evaluated,
    evaluated_text,
    exported,
    interval,
    merged,
    privacy_label,
    trained,
)
from tests.support.builders.specs import (
    HEAD,
    attack_spec,
    curate_spec,
    evaluate_spec,
    export_spec,
    frozen_head,
    merge_spec,
    train_spec,
)

MODEL = model_ref(1)
LONGER = identified_as(model_ref(2), base={"uri": "file:///mirror-of-the-base"}, max_length=128)
VERSION, OTHER = MODEL.id, LONGER.id
GRAPH, ROWS = graph_ref(VERSION), dataset_ref()
LABEL = privacy_label()
HALF = interval(0.5, 0.1, n=40)
BROKEN = interval(0.5, 0.1, n=30)


def changed(model: Any, path: list[str], value: object) -> Any:
    """A copy with another value at a path, unchecked; of measurements the path names one by metric and slice."""
    head, *rest = path
    if isinstance(model, tuple):
        return tuple(changed(one, rest, value) if one.subject == head else one for one in model)
    return model.model_copy(update={head: changed(getattr(model, head), rest, value) if rest else value})


CURATED = (curate_spec(), curated())
TRAINED = (train_spec(max_rows=8), trained())
PRIVATE = (train_spec(privacy=Privacy(epsilon=8, delta=1e-5), method=HEAD), trained(steps=40, privacy=LABEL))
FROZEN = (train_spec(task=frozen_head(MODEL)), trained())
MERGED = (merge_spec(MODEL, LONGER, model="both"), identified_as(merged(model="both"), max_length=128))
EXPORTED = (export_spec(MODEL, base_graph=GRAPH.base_graph), exported(VERSION, max_abs_diff=1e-3))
BESIDE = beside(OTHER, 0, 0.1, graph=GRAPH, both=20, neither=20)
BESIDE_ATTACKED = beside(OTHER, 0, 0.1, graph=GRAPH, both=20, neither=5)
COMPARED = {"against": LONGER, "against_graph": GRAPH}
EVALUATED = (evaluate_spec(MODEL, GRAPH, **COMPARED), evaluated(VERSION, HALF, BESIDE))
WRITER = model_ref(3, identity=GENERATOR)
CHATS = dataset_ref(row_schema="messages")
WRITTEN = (
    evaluate_spec(WRITER, GRAPH, dataset=CHATS, against=model_ref(4, identity=GENERATOR), against_graph=GRAPH),
    evaluated_text(WRITER.id, HALF, beside(UUID(int=4), 0, 0.1, graph=GRAPH, both=20, neither=20), graph=GRAPH),
)
ATTACKED = (
    attack_spec(MODEL, GRAPH, rows=40, **COMPARED),
    attacked(
        VERSION,
        BROKEN,
        BESIDE_ATTACKED,
        succeeded=15,
        failed=14,
        out_of_budget=1,
        skipped=10,
        success_rate=BROKEN,
        clean_accuracy=HALF,
        accuracy_under_attack=HALF,
        mean_queries=30,
    ),
)
CAPPED = (
    ATTACKED[0].model_copy(update={"query_budget": 200}),
    changed(ATTACKED[1], ["conditions", "query_budget"], 200),
)
OTHER_GRAPH = identified_as(GRAPH, max_length=32)
WORST = "measurements.attack_success_rate_at_worst"


class Registered:
    """What is registered of the versions above."""

    def rows_digest(self, dataset_version: UUID, split: Split) -> str | None:
        return digest(TEST_ROWS) if (dataset_version, split) == (ROWS.id, "test") else None


def mismatch(spec: JobSpec, result: JobResult) -> Claim | None:
    return contradiction(spec, result, Registered())


def alone(spec: EvaluateSpec | AttackSpec, result: EvaluateResult | AttackResult) -> tuple[JobSpec, JobResult]:
    """The same without another version beside."""
    nothing = {"against": None, "against_graph": None}
    conditions = result.conditions.model_copy(update=nothing)
    measurements = tuple(one.model_copy(update={"paired": None}) for one in result.measurements)
    answer = result.model_copy(update={"conditions": conditions, "measurements": measurements})
    return spec.model_copy(update=nothing), answer


ANSWERED: dict[str, tuple[JobSpec, JobResult]] = {
    "curate": CURATED,
    "train": TRAINED,
    "private": PRIVATE,
    "frozen": FROZEN,
    "merge": MERGED,
    "export": EXPORTED,
    "evaluate": EVALUATED,
    "attack": ATTACKED,
    "capped": CAPPED,
    "export with a graph of its own": (EXPORTED[0].model_copy(update={"base_graph": None}), EXPORTED[1]),
    "evaluate text": WRITTEN,
    "evaluate text alone": alone(*WRITTEN),
    "evaluate alone": alone(*EVALUATED),
    "attack alone": alone(*ATTACKED),
}
