"""One training run: its base and classifier, the rows that it learns, and what the classifier says of rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from schemas.jobs.results import PrivacyLabel
from schemas.jobs.train import FrozenHead, TrainSpec
from schemas.model.forms import VirtualTokens
from workers.adapters.files import Adapter, read_adapter
from workers.adapters.forms.change import Change
from workers.adapters.forms.virtual_tokens.modules import check_length
from workers.adapters.reference import check_fits
from workers.base.loading import Base, load_base
from workers.base.tokenizer import TextTokenizer
from workers.data.manifest import read_manifest
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import Classifier
from workers.train.data import Examples, draw, read_examples

_BATCH: Final = 32


@dataclass(frozen=True)
class Run:
    spec: TrainSpec
    context: Context
    base: Base
    tokenizer: TextTokenizer
    classifier: Classifier
    labels: tuple[str, ...]
    examples: Examples

    def encode(self, tokens: list[list[int]], on_rows: Callable[[int], None] = lambda done: None) -> Tensor:
        """Features of each text, in order."""
        order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
        features = torch.empty(len(tokens), self.base.feature_size)
        with torch.no_grad():
            for start in range(0, len(order), _BATCH):
                rows = order[start : start + _BATCH]
                batch = self.tokenizer.pad([tokens[row] for row in rows])
                ids, mask = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
                features[rows] = self.classifier.features(ids, mask)
                on_rows(start + len(rows))
        return features


@dataclass(frozen=True)
class Trained:
    """What a run has come to, beside the head that its classifier holds."""

    steps: int
    change: Change
    accuracy: float | None = None
    privacy: PrivacyLabel | None = None


def prepare(spec: TrainSpec, context: Context) -> Run:
    context.stage("reading the base model")
    base = load_base(context.sources.fetch(spec.base_model))
    if spec.max_length > base.max_length:
        raise JobError(f"max_length is {spec.max_length}, this base takes at most {base.max_length} tokens")
    if isinstance(form := spec.method.form(), VirtualTokens):
        check_length(base, spec.max_length, form.num_virtual_tokens)
    frozen = _read_frozen(spec.task.head, base, context) if isinstance(spec.task.head, FrozenHead) else None
    labels = frozen.identity.classification.labels if frozen else read_manifest(context.artifacts, spec.dataset).labels
    if len(labels) < 2:
        raise JobError(
            f"dataset {spec.dataset.dataset}/{spec.dataset.version} has labels {list(labels)}, two are needed"
        )
    classifier = Classifier(base.encoder, base.feature_size, len(labels)).eval()
    if frozen:
        classifier.head.load(frozen.linear_head)
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
