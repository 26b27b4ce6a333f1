"""What a version's answer is, by Hugging Face's pipeline tags, with all that decides it beyond the weights."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from schemas.artifacts import Digest
from schemas.base import Tolerant
from schemas.data.rows import RowSchemaName
from schemas.model.precision import Precision

FeatureRecipe = Literal["mid-last-mean-v1"]
"""How an encoder's states become the head's input, as `workers.tasks.text_classification.features` computes it."""
TokenId = Annotated[int, Field(ge=0)]


def _ascending(ids: tuple[TokenId, ...]) -> tuple[TokenId, ...]:
    if list(ids) != sorted(set(ids)):
        raise ValueError(f"{list(ids)}: expected token ids in ascending order, each once")
    return ids


StopTokenIds = Annotated[tuple[TokenId, ...], AfterValidator(_ascending)]


class TextClassification(Tolerant):
    """One label of a text, with a score for each."""

    ROW_SCHEMAS: ClassVar[tuple[RowSchemaName, ...]] = ("text_label",)
    """What a row that it learns or is asked may be."""
    ASKED_IN_PYTORCH: ClassVar = False
    """Whether a version that was not exported is asked in PyTorch."""
    PRECISIONS: ClassVar[tuple[Precision, ...]] = ("fp32",)
    """In which of them a version is served."""
    type: Literal["text-classification"] = "text-classification"
    """The task."""
    labels: tuple[str, ...] = Field(min_length=1, max_length=1000)
    """In the order of the head's outputs."""
    feature_recipe: FeatureRecipe
    """How the encoder's states become the head's input."""
    head_digest: Digest
    """Over the head's W and b and its labels: equal digests mean one frozen head."""

    def graph_recipe(self) -> tuple[str, ...]:
        """What it asks of a base graph: versions of one base share a graph only where this is the same."""
        return (self.type, self.feature_recipe)


class TextGeneration(Tolerant):
    """Text that goes on from a prompt, or that answers a conversation."""

    ROW_SCHEMAS: ClassVar[tuple[RowSchemaName, ...]] = ("prompt_completion", "messages")
    """What a row that it learns or is asked may be."""
    ASKED_IN_PYTORCH: ClassVar = True
    """Whether a version that was not exported is asked in PyTorch."""
    PRECISIONS: ClassVar[tuple[Precision, ...]] = ("fp32", "int4")
    """In which of them a version is served."""
    type: Literal["text-generation"] = "text-generation"
    """The task."""
    chat_template_digest: Digest | None
    """SHA-256 of the Jinja template, in UTF-8, that makes a prompt of messages; null: the base has none, and the
    version goes on from prompts only."""
    stop_token_ids: StopTokenIds = Field(min_length=1, max_length=64)
    """An answer ends before the first of them: those by which the base ends a text or a turn, ascending. Unit:
    token ids."""

    def graph_recipe(self) -> tuple[str, ...]:
        """What it asks of a base graph: versions of one base share a graph only where this is the same."""
        return (self.type,)


TaskName = Literal["text-classification", "text-generation"]
Task = Annotated[TextClassification | TextGeneration, Field(discriminator="type")]
