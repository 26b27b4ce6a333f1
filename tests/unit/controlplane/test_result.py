"""A result answers its spec: what each kind restates of it, changed one claim at a time."""

import math
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from controlplane.domain.claims import Claim
from controlplane.domain.privacy import gaussian_delta
from controlplane.kinds import KINDS, contradiction
from schemas.artifacts import Split
from schemas.evidence import Finding
from schemas.jobs import JOB_KINDS, JobResult, JobSpec
from schemas.jobs.attack import AttackResult, AttackSpec
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec
from schemas.jobs.train import Privacy
from schemas.model.methods import HeadAlone, Lora
from tests.support.builders.artifacts import digest
from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import LABELS, graph_ref, identified_as, model_ref
from tests.support.builders.results import (
    TEST_ROWS,
    attacked,
    curated,
    evaluated,
    exported,
    interval,
    merged,
    paired,
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

CURATED = (curate_spec(), curated())
TRAINED = (train_spec(max_rows=8), trained())
PRIVATE = (train_spec(privacy=Privacy(epsilon=8, delta=1e-5), method=HEAD), trained(steps=40, privacy=LABEL))
FROZEN = (train_spec(task=frozen_head(MODEL)), trained())
MERGED = (merge_spec(MODEL, LONGER, model="both"), identified_as(merged(model="both"), max_length=128))
EXPORTED = (export_spec(MODEL, base_graph=GRAPH.base_graph), exported(VERSION, max_abs_diff=1e-3))
BESIDE = paired(OTHER, 0, 0.1, graph=GRAPH, both=20, neither=20)
COMPARED = {"against": LONGER, "against_graph": GRAPH}
EVALUATED = (evaluate_spec(MODEL, GRAPH, **COMPARED), evaluated(VERSION, HALF, paired=BESIDE))
ATTACKED = (
    attack_spec(MODEL, GRAPH, rows=40, **COMPARED),
    attacked(
        VERSION,
        0.5,
        succeeded=15,
        failed=14,
        out_of_budget=1,
        skipped=10,
        success_rate=BROKEN,
        worst_success_rate=BROKEN,
        clean_accuracy=HALF,
        accuracy_under_attack=HALF,
        mean_queries=30,
        paired=BESIDE.model_copy(update={"neither": 5}),
    ),
)
CAPPED = (
    ATTACKED[0].model_copy(update={"query_budget": 200}),
    ATTACKED[1].model_copy(update={"query_budget": 200}),
)
OTHER_GRAPH = identified_as(GRAPH, max_length=32)


class Registered:
    """What is registered of the versions above."""

    def rows_digest(self, dataset_version: UUID, split: Split) -> str | None:
        return digest(TEST_ROWS) if (dataset_version, split) == (ROWS.id, "test") else None


def mismatch(spec: JobSpec, result: JobResult) -> Claim | None:
    return contradiction(spec, result, Registered())


def alone(spec: EvaluateSpec | AttackSpec, result: EvaluateResult | AttackResult) -> tuple[JobSpec, JobResult]:
    """The same without another version beside."""
    asked = spec.model_copy(update={"against": None, "against_graph": None})
    return asked, result.model_copy(update={"paired": None})


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
    "evaluate alone": alone(*EVALUATED),
    "attack alone": alone(*ATTACKED),
}


@pytest.mark.parametrize("kind", ANSWERED)
def test_a_result_that_answers_its_spec(kind: str) -> None:
    assert mismatch(*ANSWERED[kind]) is None


@pytest.mark.parametrize(
    ("kind", "path", "lie"),
    [
        ("curate", "dataset", "others"),
        ("train", "model", "other"),
        ("train", "identity.base.uri", "file:///other"),
        ("train", "identity.task.feature_recipe", "other"),
        ("train", "identity.form.target_modules", ("query",)),
        ("train", "identity.form.r", 4),
        ("train", "identity.method", HeadAlone()),
        ("train", "identity.method.lora_alpha", 32),
        ("train", "identity.max_length", 128),
        ("train", "rows", 9),
        ("train", "privacy", LABEL),
        ("private", "privacy", None),
        ("private", "identity.form.r", 8),
        ("private", "steps", 39),
        ("private", "validation_accuracy", 0.9),
        ("private", "privacy.epsilon", 900.0),
        ("private", "privacy.epsilon", 8.0001),
        ("private", "privacy.epsilon", math.nan),
        ("private", "privacy.delta", 1e-4),
        ("private", "privacy.max_grad_norm", 1.0),
        ("private", "privacy.steps", 41),
        ("private", "privacy.accountant", "rdp"),
        ("private", "privacy.sample_rate", 0.1),
        ("private", "privacy.noise_multiplier", 3.6),
        ("frozen", "identity.task.head_digest", digest("another")),
        ("frozen", "identity.task.labels", LABELS[::-1]),
        ("frozen", "identity.base.digest", digest("another")),
        ("merge", "model", "other"),
        ("merge", "identity.base.uri", "file:///other"),
        ("merge", "identity.base.digest", digest("another")),
        ("merge", "identity.task.feature_recipe", "other"),
        ("merge", "identity.task.head_digest", digest("another")),
        ("merge", "identity.task.labels", LABELS[::-1]),
        ("merge", "identity.max_length", 64),
        ("merge", "identity.method", Lora()),
        ("merge", "identity.base.hidden_size", 768),
        ("merge", "privacy", LABEL),
        ("merge", "identity.form.r", 8),
        ("merge", "identity.form.target_modules", ("query",)),
        ("export", "model_version", OTHER),
        ("export", "graph.identity.base.digest", digest("another")),
        ("export", "graph.identity.task.feature_recipe", "other"),
        ("export", "graph.identity.task.labels", LABELS[::-1]),
        ("export", "graph.identity.max_length", 128),
        ("export", "graph.identity.method", HeadAlone()),
        ("export", "graph.base_graph.digest", digest("another graph")),
        ("export", "graph.identity.form.target_modules", ("query", "dense")),
        ("export", "rows", 2),
        ("export", "max_abs_diff", 1.1e-3),
        ("export", "max_abs_diff", math.nan),
        ("evaluate", "model_version", OTHER),
        ("evaluate", "dataset", OTHER),
        ("evaluate", "split", "train"),
        ("evaluate", "per_class", {LABELS[1]: EVALUATED[1].per_class[LABELS[1]]}),
        ("evaluate", "accuracy.n", 41),
        ("evaluate", "rows_digest", digest("another")),
        ("evaluate", "graph", OTHER_GRAPH),
        ("evaluate", "paired", None),
        ("evaluate", "paired.against", VERSION),
        ("evaluate", "paired.graph", OTHER_GRAPH),
        ("evaluate", "paired.both", 19),
        ("attack", "model_version", OTHER),
        ("attack", "dataset", OTHER),
        ("attack", "recipe", "other"),
        ("attack", "split", "train"),
        ("attack", "graph", OTHER_GRAPH),
        ("attack", "queries_per_word", 1),
        ("attack", "query_budget", 5),
        ("attack", "seed", 1),
        ("attack", "skipped", 11),
        ("attack", "failed", 15),
        ("attack", "success_rate.value", 0.6),
        ("attack", "worst_success_rate.n", 29),
        ("attack", "paired", None),
        ("attack", "paired.against", VERSION),
        ("attack", "paired.both", 26),
        ("attack", "clean_accuracy.n", 41),
        ("attack", "accuracy_under_attack.n", 30),
        ("attack", "success_rate.n", 41),
        ("capped", "mean_queries", 200.5),
    ],
)
def test_one_claim_that_contradicts_the_spec_is_named(kind: str, path: str, lie: object) -> None:
    spec, result = ANSWERED[kind]
    found = mismatch(spec, changed(result, path.split("."), lie))
    assert found is not None
    assert found.holds is False
    assert found.field == CHECKED_BY.get(path, path)
    said = SAID.get((kind, path))
    assert found.expected == (said or f"{at(result, found.field)!r}{SAYS}")
    if found.field == path and lie is not None and path not in SORTED:
        assert found.found is lie


SORTED = {"per_class"}
"""Claims that say what was found in order."""


def at(result: Any, field: str) -> Any:
    """What the result that answers its spec says there."""
    for name in field.split("."):
        result = result if result is None else getattr(result, name)
    return result


CHECKED_BY = {
    "accuracy.n": "per_class.support",
    "failed": "skipped",
    "paired": "paired.against",
    "paired.both": "paired.n",
    "success_rate.value": "success_rate",
}
"""Where two claims must agree, the second one is named."""
SAYS = ", as the job's spec says"
SAID: dict[tuple[str, str], str] = {
    ("train", "rows"): f"at most 8{SAYS}",
    ("private", "privacy"): "the label of a private training: the spec asks for epsilon 8",
    ("private", "privacy.epsilon"): f"at most 8{SAYS}",
    ("private", "privacy.noise_multiplier"): "enough noise for epsilon 7.99 and delta 1e-05 in 40 steps",
    ("export", "max_abs_diff"): f"at most 0.001{SAYS}",
    ("evaluate", "rows_digest"): f"{digest(TEST_ROWS)}, as registered",
    ("evaluate", "per_class"): f"['negative', 'positive']{SAYS}",
    ("evaluate", "accuracy.n"): f"41{SAYS}",
    ("attack", "failed"): f"9{SAYS}",
    ("attack", "success_rate.value"): f"at most 0.5{SAYS}",
    ("attack", "paired.both"): f"at most 30{SAYS}",
    ("attack", "clean_accuracy.n"): f"at most 40{SAYS}",
    ("capped", "mean_queries"): f"at most 200{SAYS}",
}
"""What is expected where it is not simply what the right result says."""


def test_noise_that_is_just_enough_is_enough() -> None:
    spec, result = PRIVATE
    delta = gaussian_delta(LABEL.epsilon, LABEL.noise_multiplier, LABEL.steps)
    asked = spec.model_copy(update={"privacy": Privacy(epsilon=8, delta=delta)})
    assert mismatch(asked, changed(result, ["privacy", "delta"], delta)) is None


def test_every_kind_is_known_here_and_every_finding_in_a_line() -> None:
    assert set(KINDS) == set(JOB_KINDS)
    for kind, (_, result) in ANSWERED.items():
        if isinstance(result, Finding):
            assert KINDS[result.kind].summary(result), kind


def test_a_result_of_another_kind_is_named_by_its_kind() -> None:
    found = mismatch(TRAINED[0], EXPORTED[1])
    assert found is not None
    assert (found.field, found.found, found.expected) == ("kind", "export", f"'train'{SAYS}")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("train", "validation_accuracy"),
        ("private", "privacy.epsilon"),
        ("private", "privacy.noise_multiplier"),
        ("export", "max_abs_diff"),
        ("export", "label_agreement"),
        ("evaluate", "macro_f1"),
        ("evaluate", "accuracy.low"),
        ("attack", "mean_queries"),
    ],
)
def test_a_number_that_is_not_finite_is_no_result(kind: str, path: str, number: float) -> None:
    document: Any = ANSWERED[kind][1].model_dump()
    *outer, last = path.split(".")
    part = document
    for name in outer:
        part = part[name]
    part[last] = number
    with pytest.raises(ValidationError):
        type(ANSWERED[kind][1]).model_validate(document)


@pytest.mark.parametrize(("kind", "rows"), [("evaluate", 40), ("attack", 40)])
def test_no_more_rows_were_learnt_than_were_asked_and_none_of_no_dataset(kind: str, rows: int) -> None:
    spec, result = ANSWERED[kind]
    learnt = spec.model_copy(update={"trained_on": (ROWS,)})
    assert mismatch(learnt, result.model_copy(update={"rows_trained_on": rows})) is None
    for of, claimed in ((learnt, rows + 1), (spec, 1)):
        found = mismatch(of, result.model_copy(update={"rows_trained_on": claimed}))
        assert found is not None
        assert (found.field, found.found) == ("rows_trained_on", claimed)


def test_an_interval_holds_its_value() -> None:
    with pytest.raises(ValidationError, match="outside its interval"):
        interval(0.5, low=0.9, high=0.95, n=40)


@pytest.mark.parametrize(
    ("epsilon", "noise", "steps", "delta"),
    # δ(ε) of a Gaussian mechanism of sensitivity 1, integrated numerically: ∫ max(0, p − e^ε q)
    [(1.0, 1.0, 1, 0.126936737564), (1.0, 2.0, 4, 0.126936737564), (0.0, 1.0, 1, 0.382924922548)],
)
def test_delta_of_gaussian_steps(epsilon: float, noise: float, steps: int, delta: float) -> None:
    assert gaussian_delta(epsilon, noise, steps) == pytest.approx(delta, rel=1e-8)


def changed(model: Any, path: list[str], value: object) -> Any:
    """A copy with another value at a path, unchecked."""
    head, *rest = path
    return model.model_copy(update={head: changed(getattr(model, head), rest, value) if rest else value})


@pytest.mark.parametrize(
    "lie", [{"difference": 0.5, "high": 0.6}, {"low": 0.05}, {"high": -0.05}, {"only_this": 5}], ids=str
)
def test_a_paired_difference_is_that_of_its_counts(lie: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="difference"):
        type(BESIDE).model_validate(BESIDE.model_dump() | lie)
