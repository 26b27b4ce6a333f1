"""Text classification as training needs it: labels, from an encoder below a linear head."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

import torch
from torch import Tensor, nn

from schemas.artifacts import DatasetRef, Split
from schemas.jobs.train import ClassificationTask, FrozenHead, TrainSpec
from schemas.model.tasks import TextClassification
from workers.adapters.files import read_adapter
from workers.adapters.head import Head, head_digest
from workers.adapters.reference import check_fits
from workers.base.loading import Base, load_base
from workers.base.tokenizer import TextTokenizer
from workers.data.draw import draw
from workers.data.manifest import read_manifest, read_split
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.tasks.learner import Loss, Validated
from workers.tasks.text_classification.classifier import Classifier
from workers.tasks.text_classification.learning import accuracy, loss, targets

load = load_base
_VALIDATION_ROWS: Final = 500
"""A hint while the job runs (± 2 points); the evaluate job measures."""
_BATCH: Final = 32


@dataclass(frozen=True)
class Example:
    """A row's token ids, and the number of its label."""

    tokens: list[int]
    target: int


@dataclass
class ClassificationLearner:
    spec: TrainSpec
    context: Context
    base: Base
    model: Classifier
    tokenizer: TextTokenizer
    labels: tuple[str, ...]
    examples: Sequence[Example]
    left_out: int = 0

    @property
    def lengths(self) -> Sequence[int]:
        return [len(example.tokens) for example in self.examples]

    @property
    def network(self) -> nn.Module:
        return self.model.encoder

    def inject(self, change: Callable[[nn.Module], nn.Module]) -> None:
        self.model.encoder = change(self.model.encoder)

    def loss(self) -> Loss:
        is_trained = any(parameter.requires_grad for parameter in self.network.parameters())
        return self._loss_through_the_encoder() if is_trained else self._loss_of_the_head()

    def encode(self, tokens: Sequence[list[int]], on_rows: Callable[[int], None] = lambda done: None) -> Tensor:
        """Features of each text, in order."""
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        features = torch.empty(len(tokens), self.base.feature_size)
        with torch.no_grad():
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                batch = self.tokenizer.pad([tokens[row] for row in rows])
                ids, mask = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
                features[rows] = self.model.features(ids, mask)
                on_rows(start + len(rows))
        return features

    def validate(self) -> Validated:
        examples = draw(
            read_examples(self.context.artifacts, self.spec.dataset, "validation", self.labels, self.tokenizer),
            _VALIDATION_ROWS,
            self.spec.seed,
        )
        if not examples:
            self.context.log("there are no validation rows")
            return Validated()
        with torch.no_grad():
            logits = self.model.head(self.encode([example.tokens for example in examples]))
            found = accuracy(logits, [example.target for example in examples])
        self.context.log(f"validation accuracy {found:.4f} on {len(examples)} rows")
        return Validated(accuracy=found)

    def task(self) -> TextClassification:
        return TextClassification(
            labels=self.labels,
            feature_recipe=cast(ClassificationTask, self.spec.task).feature_recipe,
            head_digest=head_digest(self.head(), self.labels),
        )

    def head(self) -> Head:
        return self.model.head.dump()

    def _loss_through_the_encoder(self) -> Loss:
        def row_loss(batch: Sequence[int]) -> Tensor:
            padded = self.tokenizer.pad([self.examples[row].tokens for row in batch])
            logits = self.model(torch.from_numpy(padded.input_ids), torch.from_numpy(padded.attention_mask))
            return loss(logits, [self.examples[row].target for row in batch])

        return row_loss

    def _loss_of_the_head(self) -> Loss:
        """What the encoder says of a row is the same at every step: it is asked once."""
        self.context.stage("computing the features that the head is trained on")
        features = self.encode([example.tokens for example in self.examples])

        def row_loss(batch: Sequence[int]) -> Tensor:
            logits = self.model.head(features[torch.tensor(batch)])
            return loss(logits, [self.examples[row].target for row in batch])

        return row_loss


def prepare(spec: TrainSpec, context: Context, base: Base) -> ClassificationLearner:
    kept = cast(ClassificationTask, spec.task).head
    frozen = _read_frozen(kept, base, context) if isinstance(kept, FrozenHead) else None
    labels = (
        kept.model_version.identity.classification.labels
        if isinstance(kept, FrozenHead)
        else read_manifest(context.artifacts, spec.dataset).labels
    )
    if len(labels) < 2:
        raise JobError(
            f"dataset {spec.dataset.dataset}/{spec.dataset.version} has labels {list(labels)}, two are needed"
        )
    classifier = Classifier(base.encoder, base.feature_size, len(labels)).eval()
    if frozen:
        classifier.head.load(frozen)
        classifier.head.requires_grad_(False)
    context.stage(f"reading the train rows of {spec.dataset.dataset}/{spec.dataset.version}")
    tokenizer = TextTokenizer(base.tokenizer_file, spec.max_length)
    examples = read_examples(context.artifacts, spec.dataset, "train", labels, tokenizer)
    if not examples:
        raise JobError(f"dataset {spec.dataset.dataset}/{spec.dataset.version} has no train rows")
    drawn = draw(examples, spec.max_rows, spec.seed)
    context.log(f"{len(drawn)} rows to train on of {len(examples)}, {len(labels)} labels")
    return ClassificationLearner(spec, context, base, classifier, tokenizer, labels, drawn)


def read_examples(
    artifacts: ArtifactStore, dataset: DatasetRef, split: Split, labels: tuple[str, ...], tokenizer: TextTokenizer
) -> list[Example]:
    rows = read_split(artifacts, dataset, split)
    numbers = targets(rows.labels, labels, f"dataset {dataset.dataset}/{dataset.version} split {split}")
    return [Example(*one) for one in zip(tokenizer.encode(rows.texts), numbers, strict=True)]


def read_texts(artifacts: ArtifactStore, dataset: DatasetRef, tokenizer: TextTokenizer, limit: int) -> list[list[int]]:
    """Token ids of the first train rows of a dataset whose labels do not matter."""
    rows = read_split(artifacts, dataset, "train")
    if not len(rows):
        raise JobError(f"dataset {dataset.dataset}/{dataset.version} has no train rows")
    return tokenizer.encode(rows.texts[:limit])


def _read_frozen(head: FrozenHead, base: Base, context: Context) -> Head:
    adapter = read_adapter(context.artifacts.fetch(head.model_version.adapter))
    check_fits(base, adapter)
    return adapter.linear_head
