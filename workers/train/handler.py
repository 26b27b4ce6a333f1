"""Trains an adapter, for whichever task and by whichever method the spec asks for, privately where it asks for that."""

from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import TrainResult, TrainSpec
from schemas.model.forms import VirtualTokens
from schemas.model.identity import ModelIdentity
from schemas.model.methods import TrainedMethod, as_fact
from workers.adapters.files import MEDIA_TYPE, Adapter, serialize_adapter
from workers.adapters.forms.low_rank.modules import linear_endings
from workers.adapters.forms.virtual_tokens.modules import check_length
from workers.adapters.methods.method import method_of
from workers.base.gguf import fetch_base
from workers.base.loading import Base
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.tasks.learner import Learner, Validated, learner_module
from workers.tasks.text_classification.learner import ClassificationLearner
from workers.train.loop import fit
from workers.train.private_run import train_privately


@dataclass(frozen=True)
class Trained:
    """What a run has come to, beside the numbers in the learner's model."""

    steps: int
    validated: Validated
    privacy: PrivacyLabel | None = None


def handle(spec: TrainSpec, context: Context) -> TrainResult:
    context.stage("reading the base model")
    task = learner_module(spec.task.type)
    base = task.load(fetch_base(spec.base_model, context.sources))
    method = _resolve(spec, base.encoder)
    _check_length(spec, method, base)
    learner = task.prepare(spec, context, base)
    trained = _train_privately(learner, spec) if spec.privacy else _train(learner, method, spec, context)
    context.log("storing the adapter")
    return _publish(spec, learner, method, trained, context)


def _resolve(spec: TrainSpec, network: nn.Module) -> TrainedMethod:
    """The method, with what the spec leaves open decided by what the base has."""
    targets = spec.target_modules
    return as_fact(spec.method, linear_endings(network) if targets == "all-linear" else targets)


def _check_length(spec: TrainSpec, method: TrainedMethod, base: Base) -> None:
    if spec.max_length > base.max_length:
        raise JobError(f"max_length is {spec.max_length}, this base takes at most {base.max_length} tokens")
    if isinstance(form := method.form(), VirtualTokens):
        check_length(base, spec.max_length, form.num_virtual_tokens)


def _train_privately(learner: Learner, spec: TrainSpec) -> Trained:
    assert spec.privacy is not None
    label = train_privately(cast(ClassificationLearner, learner), spec.privacy)
    return Trained(label.steps, Validated(), label)


def _train(learner: Learner, method: TrainedMethod, spec: TrainSpec, context: Context) -> Trained:
    torch.manual_seed(spec.seed)
    learner.inject(lambda network: method_of(method).inject(network, method))
    row_loss = learner.loss()
    context.log(f"training by `{spec.method.type}`: {_settings(spec)}")
    steps = fit(learner.model, row_loss, learner.lengths, spec, context)
    learner.model.eval()
    context.stage("measuring on validation rows")
    validated = learner.validate()
    context.measure(steps, **validated.measured())
    return Trained(steps, validated)


def _settings(spec: TrainSpec) -> str:
    return (
        f"{spec.epochs} epochs, batches of {spec.batch_size}, learning rate {spec.peak_learning_rate:.3g}, "
        f"warm-up {spec.warmup_ratio:.0%}, weight decay {spec.weight_decay:g}, seed {spec.seed}"
    )


def _publish(
    spec: TrainSpec, learner: Learner, method: TrainedMethod, trained: Trained, context: Context
) -> TrainResult:
    identity = ModelIdentity(
        base=learner.base.identity(spec.base_model),
        task=learner.task(),
        method=method,
        form=method.form(),
        max_length=spec.max_length,
    )
    adapter = Adapter(identity, method_of(method).change_of(learner.network), learner.head())
    return TrainResult(
        model=spec.model,
        adapter=context.artifacts.put_bytes(serialize_adapter(adapter), MEDIA_TYPE),
        identity=identity,
        rows=len(learner.lengths),
        steps=trained.steps,
        validation_accuracy=trained.validated.accuracy,
        validation_loss=trained.validated.loss,
        completions_left_out=learner.left_out,
        privacy=trained.privacy,
    )
