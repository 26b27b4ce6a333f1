"""Does a result answer the spec that its job was given, in everything that it says about it?"""

from collections.abc import Iterator
from dataclasses import dataclass

from controlplane.domain.privacy import gaussian_delta
from schemas.jobs import JobResult, JobSpec
from schemas.jobs.attack import AttackResult, AttackSpec
from schemas.jobs.curate import CurateResult, CurateSpec
from schemas.jobs.evaluate import EvaluateResult, EvaluateSpec
from schemas.jobs.export import ExportResult, ExportSpec
from schemas.jobs.merge import MergeResult, MergeSpec
from schemas.jobs.train import Privacy, PrivacyLabel, TrainResult, TrainSpec


@dataclass(frozen=True)
class Claim:
    """One field of a result, and whether it is what the spec leaves open to it."""

    field: str
    found: object
    holds: bool
    expected: str


def mismatch(spec: JobSpec, result: JobResult) -> Claim | None:
    """The first claim of a result that its spec contradicts; None: it answers the spec."""
    return next((claim for claim in _claims(spec, result) if not claim.holds), None)


def _claims(spec: JobSpec, result: JobResult) -> Iterator[Claim]:
    match spec, result:
        case CurateSpec(), CurateResult():
            return _curated(spec, result)
        case TrainSpec(), TrainResult():
            return _trained(spec, result)
        case MergeSpec(), MergeResult():
            return _merged(spec, result)
        case ExportSpec(), ExportResult():
            return _exported(spec, result)
        case EvaluateSpec(), EvaluateResult():
            return _evaluated(spec, result)
        case AttackSpec(), AttackResult():
            return _attacked(spec, result)
    return iter([_same("kind", result.kind, spec.kind)])


def _curated(spec: CurateSpec, result: CurateResult) -> Iterator[Claim]:
    yield _same("dataset", result.dataset, spec.dataset)


def _trained(spec: TrainSpec, result: TrainResult) -> Iterator[Claim]:
    yield _same("model", result.model, spec.model)
    yield _same("base_model", result.base_model, spec.base_model)
    yield _same("feature_recipe", result.feature_recipe, spec.feature_recipe)
    yield _same("target_modules", result.target_modules, spec.lora.target_modules)
    yield _same("max_length", result.max_length, spec.max_length)
    if spec.max_rows is not None:
        yield _at_most("rows", result.rows, spec.max_rows)
    if spec.head.type == "frozen":
        kept = spec.head.model_version
        yield _same("head_digest", result.head_digest, kept.head_digest)
        yield _same("labels", result.labels, kept.labels)
        yield _same("base_digest", result.base_digest, kept.base_digest)
    yield from _private(spec.privacy, result)


def _private(asked: Privacy | None, result: TrainResult) -> Iterator[Claim]:
    label = result.privacy
    if asked is None:
        yield _same("privacy", label, None)
    elif label is None:
        expected = f"the label of a private training: the spec asks for epsilon {asked.epsilon:g}"
        yield Claim("privacy", None, False, expected)
    else:
        yield _same("steps", result.steps, asked.steps)
        yield _same("validation_accuracy", result.validation_accuracy, None)
        yield from _spent(asked, label)


def _spent(asked: Privacy, label: PrivacyLabel) -> Iterator[Claim]:
    yield _at_most("privacy.epsilon", label.epsilon, asked.epsilon)
    yield _same("privacy.delta", label.delta, asked.delta)
    yield _same("privacy.max_grad_norm", label.max_grad_norm, asked.max_grad_norm)
    yield _same("privacy.steps", label.steps, asked.steps)
    yield _same("privacy.accountant", label.accountant, asked.accountant)
    yield _same("privacy.sample_rate", label.sample_rate, 1.0)
    spends = gaussian_delta(label.epsilon, label.noise_multiplier, label.steps)
    expected = f"enough noise for epsilon {label.epsilon:g} and delta {label.delta:g} in {label.steps} steps"
    yield Claim("privacy.noise_multiplier", label.noise_multiplier, spends <= label.delta, expected)


def _merged(spec: MergeSpec, result: MergeResult) -> Iterator[Claim]:
    first = spec.sources[0].model_version
    yield _same("model", result.model, spec.model)
    for field in ("base_model", "base_digest", "feature_recipe", "head_digest", "labels"):
        yield _same(field, getattr(result, field), getattr(first, field))
    yield _same("max_length", result.max_length, max(source.model_version.max_length for source in spec.sources))


def _exported(spec: ExportSpec, result: ExportResult) -> Iterator[Claim]:
    yield _same("model_version", result.model_version, spec.model_version.id)
    for field in ("base_digest", "feature_recipe", "labels", "max_length"):
        yield _same(f"graph.{field}", getattr(result.graph, field), getattr(spec.model_version, field))
    if spec.base_graph is not None:
        yield _same("graph.base_graph.digest", result.graph.base_graph.digest, spec.base_graph.digest)
    yield _same("rows", result.rows, spec.parity_rows)
    yield _at_most("max_abs_diff", result.max_abs_diff, spec.max_abs_diff)


def _evaluated(spec: EvaluateSpec, result: EvaluateResult) -> Iterator[Claim]:
    yield from _asked(spec, result)
    yield _same("per_class", sorted(result.per_class), sorted(spec.model_version.labels))
    supported = sum(score.support for score in result.per_class.values())
    yield _same("per_class.support", supported, result.accuracy.n)
    yield _learnt(spec, result, result.accuracy.n)
    if result.paired is not None:
        yield _same("paired.n", result.paired.n, result.accuracy.n)


def _attacked(spec: AttackSpec, result: AttackResult) -> Iterator[Claim]:
    yield from _asked(spec, result)
    for field in ("recipe", "queries_per_word", "query_budget", "seed"):
        yield _same(field, getattr(result, field), getattr(spec, field))
    attacked = result.succeeded + result.failed + result.out_of_budget
    yield _at_most("clean_accuracy.n", result.clean_accuracy.n, spec.rows)
    yield _learnt(spec, result, result.clean_accuracy.n)
    yield _same("skipped", result.skipped, result.clean_accuracy.n - attacked)
    yield _same("success_rate.n", result.success_rate.n, attacked)
    yield _same("worst_success_rate.n", result.worst_success_rate.n, attacked)
    yield _same("accuracy_under_attack.n", result.accuracy_under_attack.n, result.clean_accuracy.n)
    yield _at_most("success_rate", result.success_rate.value, result.worst_success_rate.value)
    if spec.query_budget is not None:
        yield _at_most("mean_queries", result.mean_queries, spec.query_budget)
    if result.paired is not None:
        yield _at_most("paired.n", result.paired.n, attacked)


def _learnt(spec: EvaluateSpec | AttackSpec, result: EvaluateResult | AttackResult, rows: int) -> Claim:
    """Of a version that learnt from no dataset that we know no row was learnt."""
    return _at_most("rows_trained_on", result.rows_trained_on, rows if spec.trained_on else 0)


def _asked(spec: EvaluateSpec | AttackSpec, result: EvaluateResult | AttackResult) -> Iterator[Claim]:
    yield _same("model_version", result.model_version, spec.model_version.id)
    yield _same("dataset", result.dataset, spec.dataset.id)
    yield _same("split", result.split, spec.split)
    yield _same("graph", result.graph, spec.graph)
    paired = result.paired
    yield _same("paired.against", paired and paired.against, spec.against and spec.against.id)
    yield _same("paired.graph", paired and paired.graph, spec.against_graph)


def _same(field: str, found: object, expected: object) -> Claim:
    return Claim(field, found, found == expected, f"{expected!r}, as the job's spec says")


def _at_most(field: str, found: float, limit: float) -> Claim:
    return Claim(field, found, found <= limit, f"at most {limit:g}, as the job's spec says")
