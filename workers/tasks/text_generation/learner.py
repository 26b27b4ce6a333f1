"""Text generation as training needs it: completions below a decoder's own output layer, prompts only read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from schemas.artifacts import Split
from schemas.jobs.train import TrainSpec
from schemas.model.tasks import TextGeneration
from workers.base.loading import Base, load_causal_lm
from workers.data.draw import draw
from workers.data.manifest import read_rows
from workers.runtime.context import Context
from workers.runtime.errors import JobError
from workers.tasks.learner import Loss, Validated
from workers.tasks.text_generation.examples import Example, Format
from workers.tasks.text_generation.likelihood import negative_log_likelihoods

load = load_causal_lm
_VALIDATION_ROWS: Final = 100
"""A hint while the job runs; the evaluate job measures."""


class LanguageModel(nn.Module):
    """A decoder, as the part of a model that a method may change."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder


@dataclass
class GenerationLearner:
    spec: TrainSpec
    context: Context
    base: Base
    model: LanguageModel
    format: Format
    examples: Sequence[Example]
    left_out: int

    @property
    def lengths(self) -> Sequence[int]:
        return [len(example) for example in self.examples]

    @property
    def network(self) -> nn.Module:
        return self.model.decoder

    def inject(self, change: Callable[[nn.Module], nn.Module]) -> None:
        self.model.decoder = change(self.model.decoder)

    def loss(self) -> Loss:
        def mean(rows: Sequence[int]) -> Tensor:
            """The mean over tokens, so that each counts alike, however long its completion is."""
            examples = [self.examples[row] for row in rows]
            return torch.cat(negative_log_likelihoods(self.network, examples, self.format.tokenizer)).mean()

        return mean

    def validate(self) -> Validated:
        examples, _ = _examples(self.spec, self.context, self.format, "validation", _VALIDATION_ROWS)
        if not examples:
            self.context.log("there are no validation rows with a completion that is read whole")
            return Validated()
        ordered = sorted(examples, key=len)
        with torch.no_grad():
            parts = [
                part
                for start in range(0, len(ordered), self.spec.batch_size)
                for part in negative_log_likelihoods(
                    self.network, ordered[start : start + self.spec.batch_size], self.format.tokenizer
                )
            ]
        found = float(torch.cat(parts).mean())
        self.context.log(f"validation loss {found:.4f} on {len(examples)} rows")
        return Validated(loss=found)

    def task(self) -> TextGeneration:
        return self.format.task()

    def head(self) -> None:
        return None


def prepare(spec: TrainSpec, context: Context, base: Base) -> GenerationLearner:
    format_ = Format(base.tokenizer_file.parent)
    context.stage(f"reading the train rows of {spec.dataset.dataset}/{spec.dataset.version}")
    examples, left_out = _examples(spec, context, format_, "train", spec.max_rows)
    learnt = sum(sum(example.learnt) for example in examples)
    if not examples:
        raise JobError(
            f"dataset {spec.dataset.dataset}/{spec.dataset.version} has no train rows whose completion max_length, "
            f"{spec.max_length}, leaves whole; {left_out} were left out"
        )
    context.log(
        f"{len(examples)} rows to train on, {sum(map(len, examples))} tokens, {learnt} of them in completions; "
        f"{left_out} completions are left out, which max_length {spec.max_length} would cut"
    )
    return GenerationLearner(spec, context, base, LanguageModel(base.encoder), format_, examples, left_out)


def _examples(
    spec: TrainSpec, context: Context, format_: Format, split: Split, most: int | None
) -> tuple[list[Example], int]:
    """Those with something to learn, and how many completions were left out."""
    rows = draw(read_rows(context.artifacts, spec.dataset, split), most, spec.seed)
    cuts = [format_.cut(row, spec.max_length) for row in rows]
    return [cut.example for cut in cuts if any(cut.example.learnt)], sum(cut.left_out for cut in cuts)
