"""Training, as the control plane knows it: what a private run may say, and what it must have spent."""

from collections.abc import Iterator

from controlplane.domain.privacy import gaussian_delta
from controlplane.domain.result_claims import Claim, at_most, same, same_document
from controlplane.kinds.kind import Kind, Registry
from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import ClassificationTask, FrozenHead, GenerationTask, Privacy, TrainResult, TrainSpec
from schemas.model.identity import ModelIdentity
from schemas.model.methods import Lora, as_fact
from schemas.model.tasks import TextClassification


def _claims(spec: TrainSpec, result: TrainResult, registry: Registry) -> Iterator[Claim]:
    yield same("model", result.model, spec.model)
    identity = result.identity
    yield same("identity.base.uri", identity.base.uri, spec.base_model)
    yield from _task(spec.task, identity)
    yield from _method(spec, identity)
    yield same("identity.max_length", identity.max_length, spec.max_length)
    if spec.max_rows is not None:
        yield at_most("rows", result.rows, spec.max_rows)
    yield from _private(spec.privacy, result)


def _method(spec: TrainSpec, identity: ModelIdentity) -> Iterator[Claim]:
    found, targets = identity.method, spec.target_modules
    if targets == "all-linear":
        if not isinstance(found, Lora):
            yield Claim("identity.method", found, False, "lora of every linear layer, as the job's spec says")
            return
        targets = found.target_modules
    expected = as_fact(spec.method, targets)
    yield from same_document("identity.method", found, expected)
    yield from same_document("identity.form", identity.form, expected.form())


def _task(asked: ClassificationTask | GenerationTask, identity: ModelIdentity) -> Iterator[Claim]:
    task = identity.task
    yield same("identity.task.type", task.type, asked.type)
    if isinstance(task, TextClassification) and isinstance(asked, ClassificationTask):
        yield same("identity.task.feature_recipe", task.feature_recipe, asked.feature_recipe)
        if isinstance(asked.head, FrozenHead):
            kept = asked.head.model_version.identity
            yield same("identity.task.head_digest", task.head_digest, kept.classification.head_digest)
            yield same("identity.task.labels", task.labels, kept.classification.labels)
            yield same("identity.base.digest", identity.base.digest, kept.base.digest)


def _private(asked: Privacy | None, result: TrainResult) -> Iterator[Claim]:
    label = result.privacy
    if asked is None:
        yield same("privacy", label, None)
    elif label is None:
        expected = f"the label of a private training: the spec asks for epsilon {asked.epsilon:g}"
        yield Claim("privacy", None, False, expected)
    else:
        yield same("steps", result.steps, asked.steps)
        yield same("validation_accuracy", result.validation_accuracy, None)
        yield same("validation_loss", result.validation_loss, None)
        yield from _spent(asked, label)


def _spent(asked: Privacy, label: PrivacyLabel) -> Iterator[Claim]:
    yield at_most("privacy.epsilon", label.epsilon, asked.epsilon)
    yield same("privacy.delta", label.delta, asked.delta)
    yield same("privacy.max_grad_norm", label.max_grad_norm, asked.max_grad_norm)
    yield same("privacy.steps", label.steps, asked.steps)
    yield same("privacy.accountant", label.accountant, asked.accountant)
    yield same("privacy.sample_rate", label.sample_rate, 1.0)
    spends = gaussian_delta(label.epsilon, label.noise_multiplier, label.steps)
    expected = f"enough noise for epsilon {label.epsilon:g} and delta {label.delta:g} in {label.steps} steps"
    yield Claim("privacy.noise_multiplier", label.noise_multiplier, spends <= label.delta, expected)


KIND = Kind(_claims, unit="steps")
