"""The identity of a model version: written once, by the job that made it, and referred to everywhere."""

from typing import Literal

from pydantic import Field

from schemas.artifacts import Digest, SourceUri
from schemas.base import Tolerant
from schemas.model.forms import Form
from schemas.model.methods import Method
from schemas.model.tasks import Task, TextClassification, TextGeneration

Architecture = Literal["encoder", "decoder"]


class BaseIdentity(Tolerant):
    """The model whose weights stayed as they are."""

    uri: SourceUri
    """Where it was read from."""
    digest: Digest
    """Over its configuration, tokenizer and weights."""
    architecture: Architecture
    """Whether each token sees all others, or only those before it."""
    model_type: str = Field(max_length=100)
    """Its family, as transformers calls it: `bert`."""
    hidden_size: int = Field(ge=1)
    """Width of its states. Unit: dimensions."""
    num_hidden_layers: int = Field(ge=1)
    """Unit: layers."""
    vocab_size: int = Field(ge=1)
    """Unit: tokens."""


class ModelIdentity(Tolerant):
    """All that decides what a version answers, beside the numbers in its adapter file."""

    base: BaseIdentity
    """What it was made from."""
    task: Task
    """What an answer is."""
    method: Method
    """How weights were changed."""
    form: Form
    """How the change is stored and served."""
    max_length: int = Field(ge=1, le=1 << 16)
    """What lies beyond in a text is not read. Unit: tokens."""

    @property
    def classification(self) -> TextClassification:
        """The task, for who takes text classification alone."""
        if not isinstance(self.task, TextClassification):
            raise ValueError(f"task is {self.task.type}: expected text-classification")
        return self.task

    @property
    def generation(self) -> TextGeneration:
        """The task, for who takes text generation alone."""
        if not isinstance(self.task, TextGeneration):
            raise ValueError(f"task is {self.task.type}: expected text-generation")
        return self.task
