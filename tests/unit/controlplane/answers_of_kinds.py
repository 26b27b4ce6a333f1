"""A spec and a result that answers it, of each kind of job and each way of asking."""

from typing import Any
from uuid import UUID

from controlplane.domain.result_claims import Claim
from controlplane.kinds import contradiction
from schemas.artifacts import Split
from schemas.jobs import JobResult, JobSpec
from schemas.jobs.attack import AttackResult, AttackSpec
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec
from schemas.jobs.train import Privacy
from tests.support.builders.answered import ANSWERED as BY_KIND
from tests.support.builders.answered import GRAPH, HALF, LONGER, MODEL
from tests.support.builders.artifacts import digest
from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import GENERATOR, identified_as, model_ref, varied
from tests.support.builders.results import (
    TEST_ROWS,
    beside,
    evaluated_text,
    privacy_label,
    trained,
)
from tests.support.builders.specs import (
    HEAD,
    evaluate_spec,
    frozen_head,
    train_spec,
)

VERSION, OTHER = MODEL.id, LONGER.id
ROWS = dataset_ref()
LABEL = privacy_label()


def changed(model: Any, path: list[str], value: object) -> Any:
    """A copy with another value at a path, unchecked; of measurements the path names one by metric and slice."""
    head, *rest = path
    if isinstance(model, tuple):
        return tuple(changed(one, rest, value) if one.subject == head else one for one in model)
    return model.model_copy(update={head: changed(getattr(model, head), rest, value) if rest else value})


PRIVATE = (train_spec(privacy=Privacy(epsilon=8, delta=1e-5), method=HEAD), trained(steps=40, privacy=LABEL))
FROZEN = (train_spec(task=frozen_head(MODEL)), trained())
WRITER = model_ref(3, identity=GENERATOR)
CHATS = dataset_ref(row_schema="messages")
WRITTEN = (
    evaluate_spec(WRITER, GRAPH, dataset=CHATS, against=model_ref(4, identity=GENERATOR), against_graph=GRAPH),
    evaluated_text(WRITER.id, HALF, beside(UUID(int=4), 0, 0.1, graph=GRAPH, both=20, neither=20), graph=GRAPH),
)
TAUGHT = (
    train_spec(task={"type": "text-generation"}, dataset=CHATS),
    trained(identity=varied(GENERATOR, method={"target_modules": GENERATOR.form.target_modules})),
)
EXPORTED, EVALUATED, ATTACKED = (BY_KIND[kind] for kind in ("export", "evaluate", "attack"))
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
    **BY_KIND,
    "private": PRIVATE,
    "frozen": FROZEN,
    "train text": TAUGHT,
    "capped": CAPPED,
    "export that just agrees": (EXPORTED[0], changed(EXPORTED[1], ["agreement"], 0.2)),
    "export with a graph of its own": (EXPORTED[0].model_copy(update={"base_graph": None}), EXPORTED[1]),
    "evaluate text": WRITTEN,
    "evaluate text alone": alone(*WRITTEN),
    "evaluate alone": alone(*EVALUATED),
    "attack alone": alone(*ATTACKED),
}
