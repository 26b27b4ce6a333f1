"""Trains an adapter with its head: LoRA, a head alone, or a differentially private head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import FrozenHead, TrainResult, TrainSpec
from schemas.model.forms import form_of
from schemas.model.identity import ModelIdentity
from schemas.model.methods import Lora, as_fact
from schemas.model.tasks import TextClassification
from workers.data.manifest import read_manifest
from workers.model.adapter import (
    MEDIA_TYPE,
    Adapter,
    Factors,
    head_digest,
    read_adapter,
    serialize_adapter,
)
from workers.model.base import Base, load_base
from workers.model.features import SCALE
from workers.model.head import Classifier, check_fits
from workers.model.tokenize import TextTokenizer
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.train.data import Examples, draw, read_examples, read_texts
from workers.train.loop import fit
from workers.train.methods import extract_factors, inject_lora
from workers.train.privacy import (
    fit_private_head,
    fold_centre,
    head_parameters,
    label_of,
    noise_warning,
    plan_budget,
)

_BATCH: Final = 32
_PUBLIC_ROWS: Final = 1_000
"""Enough to know the centre of features; more would only cost time."""
_VALIDATION_ROWS: Final = 500
"""A hint while the job runs (± 2 points); the evaluate job measures."""


@dataclass(frozen=True)
class Run:
    spec: TrainSpec
    context: Context
    base: Base
    tokenizer: TextTokenizer
    classifier: Classifier
    labels: tuple[str, ...]
    examples: Examples


@dataclass(frozen=True)
class Trained:
    steps: int
    factors: dict[str, Factors]
    privacy: PrivacyLabel | None = None


def handle(spec: TrainSpec, context: Context) -> TrainResult:
    run = _prepare(spec, context)
    trained = _choose(spec)(run)
    accuracy = None if spec.privacy else _validation_accuracy(run, trained.steps)
    context.log("storing the adapter")
    return _publish(run, trained, accuracy)


def _choose(spec: TrainSpec) -> Callable[[Run], Trained]:
    if spec.privacy:
        return _train_private_head
    return _train_lora if spec.method.type == "lora" else _train_head


def _prepare(spec: TrainSpec, context: Context) -> Run:
    context.stage("reading the base model")
    base = load_base(context.sources.fetch(spec.base_model))
    if spec.max_length > base.max_length:
        raise JobError(f"max_length is {spec.max_length}, this base takes at most {base.max_length} tokens")
    frozen = _read_frozen(spec.task.head, base, context) if isinstance(spec.task.head, FrozenHead) else None
    labels = frozen.identity.task.labels if frozen else read_manifest(context.artifacts, spec.dataset).labels
    if len(labels) < 2:
        raise JobError(
            f"dataset {spec.dataset.dataset}/{spec.dataset.version} has labels {list(labels)}, two are needed"
        )
    classifier = Classifier(base.encoder, base.feature_size, len(labels)).eval()
    if frozen:
        classifier.head.load(frozen.head)
        classifier.head.requires_grad_(False)
    context.stage(f"reading the train rows of {spec.dataset.dataset}/{spec.dataset.version}")
    tokenizer = TextTokenizer(base.tokenizer_file, spec.max_length)
    examples = read_examples(context.artifacts, spec.dataset, "train", labels, tokenizer)
    if not len(examples):
        raise JobError(f"dataset {spec.dataset.dataset}/{spec.dataset.version} has no train rows")
    drawn = draw(examples, spec.max_rows, spec.seed)
    context.log(f"{len(drawn)} rows to train on of {len(examples)}, {len(labels)} labels")
    return Run(spec, context, base, tokenizer, classifier, labels, drawn)


def _read_frozen(head: FrozenHead, base: Base, context: Context) -> Adapter:
    adapter = read_adapter(context.artifacts.fetch(head.model_version.adapter))
    check_fits(base, adapter)
    return adapter


def _train_lora(run: Run) -> Trained:
    lora = run.spec.method
    assert isinstance(lora, Lora)
    run.context.log(f"training LoRA factors and a head: {_settings(run.spec)}, r {lora.r}")
    torch.manual_seed(run.spec.seed)
    paths = inject_lora(run.classifier.encoder, lora)
    run.classifier.eval()
    _enable_lora_dropout(run.classifier)

    def loss(batch: Sequence[int]) -> Tensor:
        padded = run.tokenizer.pad([run.examples.tokens[row] for row in batch])
        logits = run.classifier(torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask))
        return cross_entropy(logits, torch.tensor([run.examples.targets[row] for row in batch]))

    steps = fit(run.classifier, loss, run.examples, run.spec, run.context)
    run.classifier.eval()
    return Trained(steps, extract_factors(run.classifier.encoder, paths))


def _enable_lora_dropout(classifier: Classifier) -> None:
    """LoRA's own dropout only: with a few hundred steps the base's dropout is noise that never averages out."""
    for path, module in classifier.named_modules():
        if path.endswith(".lora_dropout.default"):
            module.train()


def _train_head(run: Run) -> Trained:
    run.context.stage("computing the features that the head is trained on")
    features = _encode(run, run.examples.tokens, lambda done: None)
    run.context.log(f"training a head: {_settings(run.spec)}")
    targets = torch.tensor(run.examples.targets)

    def loss(batch: Sequence[int]) -> Tensor:
        rows = torch.tensor(batch)
        return cross_entropy(run.classifier.head(features[rows]), targets[rows])

    return Trained(fit(run.classifier, loss, run.examples, run.spec, run.context), {})


def _settings(spec: TrainSpec) -> str:
    return (
        f"{spec.epochs} epochs, batches of {spec.batch_size}, learning rate {spec.learning_rate:.3g}, "
        f"warm-up {spec.warmup_ratio:.0%}, weight decay {spec.weight_decay:g}, seed {spec.seed}"
    )


def _train_private_head(run: Run) -> Trained:
    """Reports step and total only, saves no checkpoint and measures no accuracy: each would be a leak."""
    privacy = run.spec.privacy
    if privacy is None:
        raise JobError("privacy is missing")
    budget = plan_budget(privacy)
    run.context.log(
        f"training a private head: {privacy.steps} steps over all rows, "
        f"noise multiplier {budget.noise_multiplier:.4g}, epsilon {budget.epsilon:.4g}, delta {privacy.delta:g}"
    )
    run.context.log("what a step measures would tell about the rows: no curve is kept, and no score")
    warning = noise_warning(
        budget.noise_multiplier, head_parameters(run.base.feature_size, len(run.labels)), len(run.examples)
    )
    if warning:
        run.context.log(warning)
    total = len(run.examples) + privacy.steps
    features = _encode(run, run.examples.tokens, lambda done: run.context.progress(done, total)) / SCALE
    centre = _centre(run)
    weights = fit_private_head(
        features - centre,
        torch.tensor(run.examples.targets),
        len(run.labels),
        privacy,
        budget.noise_multiplier,
        lambda step: run.context.progress(len(run.examples) + step, total),
    )
    run.classifier.head.load(fold_centre(weights, centre))
    return Trained(privacy.steps, {}, label_of(privacy, budget))


def _centre(run: Run) -> Tensor:
    """The mean feature of public rows; centring by the private rows would have to be paid for."""
    if run.spec.public_dataset is None:
        run.context.log("no public_dataset: features are not centred, which costs one or two points of accuracy")
        return torch.zeros(run.base.feature_size)
    tokens = read_texts(run.context.artifacts, run.spec.public_dataset, run.tokenizer, _PUBLIC_ROWS)
    return _encode(run, tokens, lambda done: None).mean(dim=0) / SCALE


def _encode(run: Run, tokens: list[list[int]], on_rows: Callable[[int], None]) -> Tensor:
    """Features of each text, in order."""
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    features = torch.empty(len(tokens), run.base.feature_size)
    with torch.no_grad():
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            batch = run.tokenizer.pad([tokens[row] for row in rows])
            ids, mask = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
            features[rows] = run.classifier.features(ids, mask)
            on_rows(start + len(rows))
    return features


def _validation_accuracy(run: Run, step: int) -> float | None:
    run.context.stage("measuring on validation rows")
    examples = read_examples(run.context.artifacts, run.spec.dataset, "validation", run.labels, run.tokenizer)
    examples = draw(examples, _VALIDATION_ROWS, run.spec.seed)
    if not len(examples):
        run.context.log("there are no validation rows")
        return None
    with torch.no_grad():
        answers = run.classifier.head(_encode(run, examples.tokens, lambda done: None)).argmax(dim=1)
    accuracy = float((answers == torch.tensor(examples.targets)).float().mean())
    run.context.log(f"validation accuracy {accuracy:.4f} on {len(examples)} rows")
    run.context.measure(step, validation_accuracy=accuracy)
    return accuracy


def _publish(run: Run, trained: Trained, accuracy: float | None) -> TrainResult:
    head = run.classifier.head.dump()
    identity = ModelIdentity(
        base=run.base.identity(run.spec.base_model),
        task=TextClassification(
            labels=run.labels,
            feature_recipe=run.spec.task.feature_recipe,
            head_digest=head_digest(head, run.labels),
        ),
        method=as_fact(run.spec.method),
        form=form_of(run.spec.method),
        max_length=run.spec.max_length,
    )
    data = serialize_adapter(Adapter(identity, trained.factors, head))
    return TrainResult(
        model=run.spec.model,
        adapter=run.context.artifacts.put_bytes(data, MEDIA_TYPE),
        identity=identity,
        rows=len(run.examples),
        steps=trained.steps,
        validation_accuracy=accuracy,
        privacy=trained.privacy,
    )
