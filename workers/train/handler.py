"""Trains an adapter with its head, by whichever method the spec asks for, privately where it asks for that."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from schemas.jobs.train import TrainResult, TrainSpec
from schemas.model.identity import ModelIdentity
from schemas.model.methods import as_fact
from schemas.model.tasks import TextClassification
from workers.adapters.files import MEDIA_TYPE, Adapter, serialize_adapter
from workers.adapters.methods.method import method_of
from workers.runtime.context import Context
from workers.tasks.text_classification.head import head_digest
from workers.tasks.text_classification.learning import accuracy, loss
from workers.train.data import draw, read_examples
from workers.train.loop import Loss, fit
from workers.train.private import train_privately
from workers.train.run import Run, Trained, prepare

_VALIDATION_ROWS: Final = 500
"""A hint while the job runs (± 2 points); the evaluate job measures."""


def handle(spec: TrainSpec, context: Context) -> TrainResult:
    run = prepare(spec, context)
    trained = train_privately(run, spec.privacy) if spec.privacy else _train(run)
    context.log("storing the adapter")
    return _publish(run, trained)


def _train(run: Run) -> Trained:
    spec, classifier = run.spec, run.classifier
    method = method_of(spec.method)
    torch.manual_seed(spec.seed)
    classifier.encoder = method.inject(classifier.encoder, spec.method)
    row_loss = _loss_through_the_encoder(run) if _is_trained(classifier.encoder) else _loss_of_the_head(run)
    run.context.log(f"training by `{spec.method.type}`: {_settings(spec)}")
    steps = fit(classifier, row_loss, run.examples, spec, run.context)
    classifier.eval()
    return Trained(steps, method.change_of(classifier.encoder), _validation_accuracy(run, steps))


def _is_trained(encoder: torch.nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in encoder.parameters())


def _loss_through_the_encoder(run: Run) -> Loss:
    def row_loss(batch: Sequence[int]) -> Tensor:
        padded = run.tokenizer.pad([run.examples.tokens[row] for row in batch])
        logits = run.classifier(torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask))
        return loss(logits, [run.examples.targets[row] for row in batch])

    return row_loss


def _loss_of_the_head(run: Run) -> Loss:
    """What the encoder says of a row is the same at every step: it is asked once."""
    run.context.stage("computing the features that the head is trained on")
    features = run.encode(run.examples.tokens)

    def row_loss(batch: Sequence[int]) -> Tensor:
        logits = run.classifier.head(features[torch.tensor(batch)])
        return loss(logits, [run.examples.targets[row] for row in batch])

    return row_loss


def _settings(spec: TrainSpec) -> str:
    return (
        f"{spec.epochs} epochs, batches of {spec.batch_size}, learning rate {spec.learning_rate:.3g}, "
        f"warm-up {spec.warmup_ratio:.0%}, weight decay {spec.weight_decay:g}, seed {spec.seed}"
    )


def _validation_accuracy(run: Run, step: int) -> float | None:
    run.context.stage("measuring on validation rows")
    examples = read_examples(run.context.artifacts, run.spec.dataset, "validation", run.labels, run.tokenizer)
    examples = draw(examples, _VALIDATION_ROWS, run.spec.seed)
    if not len(examples):
        run.context.log("there are no validation rows")
        return None
    with torch.no_grad():
        found = accuracy(run.classifier.head(run.encode(examples.tokens)), examples.targets)
    run.context.log(f"validation accuracy {found:.4f} on {len(examples)} rows")
    run.context.measure(step, validation_accuracy=found)
    return found


def _publish(run: Run, trained: Trained) -> TrainResult:
    spec, head = run.spec, run.classifier.head.dump()
    task = TextClassification(
        labels=run.labels, feature_recipe=spec.task.feature_recipe, head_digest=head_digest(head, run.labels)
    )
    identity = ModelIdentity(
        base=run.base.identity(spec.base_model),
        task=task,
        method=as_fact(spec.method),
        form=spec.method.form(),
        max_length=spec.max_length,
    )
    data = serialize_adapter(Adapter(identity, trained.change, head))
    return TrainResult(
        model=spec.model,
        adapter=run.context.artifacts.put_bytes(data, MEDIA_TYPE),
        identity=identity,
        rows=len(run.examples),
        steps=trained.steps,
        validation_accuracy=trained.accuracy,
        privacy=trained.privacy,
    )
