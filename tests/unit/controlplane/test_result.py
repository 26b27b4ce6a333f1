"""A result answers its spec: what each kind restates of it, changed one claim at a time."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from controlplane.domain.privacy import gaussian_delta
from controlplane.kinds import KINDS
from schemas.evidence import Finding
from schemas.jobs import JOB_KINDS
from schemas.jobs.train import Privacy
from schemas.model.methods import HeadAlone, Lora
from tests.support.builders.answered import ANSWERED as BY_KIND
from tests.support.builders.answered import BESIDE
from tests.support.builders.artifacts import digest
from tests.support.builders.models import LABELS, classification, generation
from tests.support.builders.results import (
    TEST_ROWS,
    interval,
)
from tests.unit.controlplane.answers_of_kinds import (
    ANSWERED,
    EVALUATED,
    EXPORTED,
    LABEL,
    OTHER,
    OTHER_GRAPH,
    PRIVATE,
    ROWS,
    VERSION,
    WORST,
    changed,
    mismatch,
)


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
        ("train", "identity.task", generation()),
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
        ("private", "validation_loss", 0.9),
        ("private", "privacy.epsilon", 900.0),
        ("private", "privacy.epsilon", 8.0001),
        ("private", "privacy.epsilon", math.nan),
        ("private", "privacy.delta", 1e-4),
        ("private", "privacy.max_grad_norm", 1.0),
        ("private", "privacy.steps", 41),
        ("private", "privacy.accountant", "rdp"),
        ("private", "privacy.sample_rate", 0.1),
        ("private", "privacy.noise_multiplier", 3.6),
        ("train text", "identity.task", classification()),
        ("train text", "identity.method", HeadAlone()),
        ("train text", "identity.method.r", 4),
        ("train text", "identity.form.target_modules", ("q_proj",)),
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
        ("export", "agreement", 0.1),
        ("export", "graph.precision", "int4"),
        ("evaluate", "model_version", OTHER),
        ("evaluate", "conditions.dataset", OTHER),
        ("evaluate", "conditions.split", "train"),
        ("evaluate", "measurements.accuracy.n", 41),
        ("evaluate", "measurements.macro_f1.n", 41),
        ("evaluate", "measurements.recall of negative.n", 21),
        ("evaluate", "rows_digest", digest("another")),
        ("evaluate", "conditions.graph", OTHER_GRAPH),
        ("evaluate", "measurements.accuracy.paired", None),
        ("evaluate", "measurements.recall of positive.paired", None),
        ("evaluate", "conditions.against", VERSION),
        ("evaluate", "conditions.against", None),
        ("evaluate", "conditions.against_graph", OTHER_GRAPH),
        ("evaluate", "measurements.accuracy.paired.both", 19),
        ("evaluate", "measurements.recall of negative.paired.both", 9),
        ("evaluate text", "measurements.rouge_l.n", 41),
        ("evaluate text", "measurements.perplexity.n", 39),
        ("evaluate text", "measurements.perplexity.paired", None),
        ("evaluate text", "measurements.exact_match.paired.both", 19),
        ("evaluate text", "measurements.chrf.paired.n", 39),
        ("evaluate text", "rows_digest", digest("another")),
        ("evaluate text alone", "measurements.token_f1.paired", BESIDE.paired),
        ("evaluate alone", "conditions.against", OTHER),
        ("evaluate alone", "measurements.accuracy.paired", BESIDE.paired),
        ("attack", "model_version", OTHER),
        ("attack", "conditions.dataset", OTHER),
        ("attack", "conditions.recipe", "other"),
        ("attack", "conditions.split", "train"),
        ("attack", "conditions.graph", OTHER_GRAPH),
        ("attack", "conditions.queries_per_word", 1),
        ("attack", "conditions.query_budget", 5),
        ("attack", "conditions.seed", 1),
        ("attack", "skipped", 11),
        ("attack", "failed", 15),
        ("attack", "success_rate.value", 0.6),
        ("attack", f"{WORST}.n", 29),
        ("attack", f"{WORST}.unknown", 0),
        ("attack", "measurements.accuracy_under_attack.unknown", 2),
        ("attack", f"{WORST}.paired", None),
        ("attack", "conditions.against", VERSION),
        ("attack", f"{WORST}.paired.both", 26),
        ("attack", "measurements.clean_accuracy.n", 41),
        ("attack", "measurements.accuracy_under_attack.n", 30),
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
    if found.field == path and lie is not None:
        assert found.found is lie


def at(result: Any, field: str) -> Any:
    """What the result that answers its spec says there."""
    for name in field.split("."):
        if isinstance(result, tuple):
            result = next(one for one in result if one.subject == name)
        else:
            result = result if result is None else getattr(result, name)
    return result


CHECKED_BY = {
    "identity.task": "identity.task.type",
    "measurements.accuracy.n": "measurements.macro_f1.n",
    "measurements.recall of negative.n": "measurements.recall.n",
    "measurements.accuracy.paired.both": "measurements.accuracy.paired.n",
    "measurements.exact_match.paired.both": "measurements.exact_match.paired.n",
    "measurements.recall of negative.paired.both": "measurements.recall of negative.paired.n",
    f"{WORST}.paired.both": f"{WORST}.paired.n",
    "failed": "skipped",
    "success_rate.value": "success_rate",
}
"""Where two claims must agree, the second one is named."""
SAYS = ", as the job's spec says"
SAID: dict[tuple[str, str], str] = {
    ("train", "rows"): f"at most 8{SAYS}",
    ("train text", "identity.method"): f"lora of every linear layer{SAYS}",
    ("private", "privacy"): "the label of a private training: the spec asks for epsilon 8",
    ("private", "privacy.epsilon"): f"at most 8{SAYS}",
    ("private", "privacy.noise_multiplier"): "enough noise for epsilon 7.99 and delta 1e-05 in 40 steps",
    ("export", "max_abs_diff"): f"at most 0.001{SAYS}",
    ("export", "agreement"): f"at least 0.2{SAYS}",
    ("evaluate", "rows_digest"): f"{digest(TEST_ROWS)}, as registered",
    ("evaluate text", "rows_digest"): f"{digest(TEST_ROWS)}, as registered",
    ("evaluate text", "measurements.perplexity.paired"): f"a comparison{SAYS}",
    ("evaluate text alone", "measurements.token_f1.paired"): f"no comparison{SAYS}",
    ("evaluate", "measurements.accuracy.n"): f"41{SAYS}",
    ("evaluate", "measurements.recall of negative.n"): f"40{SAYS}",
    ("evaluate", "measurements.accuracy.paired"): f"a comparison{SAYS}",
    ("evaluate", "measurements.recall of positive.paired"): f"a comparison{SAYS}",
    ("evaluate alone", "measurements.accuracy.paired"): f"no comparison{SAYS}",
    ("attack", "failed"): f"9{SAYS}",
    ("attack", "success_rate.value"): f"at most 0.5{SAYS}",
    ("attack", f"{WORST}.paired"): f"a comparison{SAYS}",
    ("attack", f"{WORST}.paired.both"): f"at most 30{SAYS}",
    ("attack", "measurements.clean_accuracy.n"): f"at most 40{SAYS}",
    ("capped", "mean_queries"): f"at most 200{SAYS}",
}
"""What is expected where it is not simply what the right result says."""


@pytest.mark.parametrize(
    ("kind", "missing", "field", "expected"),
    [
        ("evaluate", ["accuracy"], "measurements", "accuracy, macro_f1 among them"),
        ("evaluate", ["macro_f1"], "measurements", "accuracy, macro_f1 among them"),
        ("evaluate", ["recall of negative"], "measurements.recall", f"['negative', 'positive']{SAYS}"),
        ("evaluate", ["recall of negative", "recall of positive"], "measurements.recall", f"{sorted(LABELS)}{SAYS}"),
        (
            "evaluate text",
            ["perplexity"],
            "measurements",
            "exact_match, token_f1, rouge_l, chrf, perplexity among them",
        ),
        ("evaluate", ["f1 of positive"], "measurements.f1", f"['negative', 'positive']{SAYS}"),
        (
            "attack",
            ["clean_accuracy"],
            "measurements",
            "attack_success_rate_at_worst, accuracy_under_attack, clean_accuracy among them",
        ),
    ],
)
def test_what_every_result_of_a_kind_measures_must_be_there(
    kind: str, missing: list[str], field: str, expected: str
) -> None:
    spec, result = ANSWERED[kind]
    left = tuple(one for one in result.measurements if one.subject not in missing)
    found = mismatch(spec, changed(result, ["measurements"], left))
    assert found is not None
    assert (found.field, found.holds, found.expected) == (field, False, expected)
    if field == "measurements":
        assert found.found == tuple(one.subject for one in left)


def test_a_label_that_the_version_does_not_know_was_not_measured() -> None:
    spec, result = EVALUATED
    found = mismatch(spec, changed(result, ["measurements", "precision of positive", "slice"], "mixed"))
    assert found is not None
    assert (found.field, found.found) == ("measurements.precision", ["mixed", "negative"])


def test_a_metric_that_the_control_plane_does_not_know_yet_contradicts_nothing() -> None:
    spec, result = EVALUATED
    newer = result.measurements[0].model_copy(update={"metric": "seconds", "paired": None})
    assert mismatch(spec, changed(result, ["measurements"], (*result.measurements, newer))) is None


def test_noise_that_is_just_enough_is_enough() -> None:
    spec, result = PRIVATE
    delta = gaussian_delta(LABEL.epsilon, LABEL.noise_multiplier, LABEL.steps)
    asked = spec.model_copy(update={"privacy": Privacy(epsilon=8, delta=delta)})
    assert mismatch(asked, changed(result, ["privacy", "delta"], delta)) is None


def test_every_kind_is_known_here_and_every_finding_in_a_line() -> None:
    assert set(KINDS) == set(JOB_KINDS) == set(BY_KIND)
    for kind, (_, result) in ANSWERED.items():
        if isinstance(result, Finding):
            assert KINDS[result.kind].summary(result), kind
        else:
            assert KINDS[result.kind].summary(result) == "", "what is no finding has nothing to tell"


def test_a_result_of_another_kind_is_named_by_its_kind() -> None:
    found = mismatch(BY_KIND["train"][0], EXPORTED[1])
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
        ("export", "agreement"),
        ("evaluate", "measurements.1.value"),
        ("evaluate", "measurements.0.low"),
        ("attack", "mean_queries"),
    ],
)
def test_a_number_that_is_not_finite_is_no_result(kind: str, path: str, number: float) -> None:
    document: Any = ANSWERED[kind][1].model_dump()
    *outer, last = path.split(".")
    part = document
    for name in outer:
        part = part[int(name) if name.isdigit() else name]
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


@pytest.mark.parametrize(
    "lie", [{"difference": 0.5, "high": 0.6}, {"low": 0.05}, {"high": -0.05}, {"only_this": 5}], ids=str
)
def test_a_paired_difference_is_that_of_its_counts(lie: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="difference"):
        type(BESIDE.paired).model_validate(BESIDE.paired.model_dump() | lie)
