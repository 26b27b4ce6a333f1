"""References to a model version and to its served graph: each carries the whole identity."""

from typing import Annotated

from pydantic import AfterValidator, Field

from schemas.artifacts import ArtifactRef, Name, Reference
from schemas.base import Tolerant
from schemas.model.identity import ModelIdentity
from schemas.model.precision import Precision
from schemas.model.tasks import TextClassification


class ModelRef(Reference):
    """One immutable model version: what it takes to rebuild its graph."""

    NAME = "model_version"
    model: Name
    """The registered model."""
    version: int = Field(ge=1)
    """Counts from 1 within the model. Unit: none."""
    adapter: ArtifactRef
    """One safetensors file: factors, head and identity (`workers/adapters/files.py`)."""
    identity: ModelIdentity
    """What it is."""


def _answers_with_labels(ref: ModelRef) -> ModelRef:
    if not isinstance(ref.identity.task, TextClassification):
        raise ValueError(
            f"{ref.model}/{ref.version} is a version for {ref.identity.task.type}; expected one for text-classification"
        )
    return ref


ClassifierRef = Annotated[ModelRef, AfterValidator(_answers_with_labels)]
"""A model version that answers with labels: another is refused at the request."""


class GraphRef(Tolerant):
    """What a gateway, an evaluation or an attack runs: a shared base graph and one version's inputs to it."""

    base_graph: ArtifactRef
    """ONNX, shared by versions of one base, one precision, one task's features and no more target modules than it has
    inputs for."""
    precision: Precision
    """How the base graph keeps the base's weights."""
    adapter: ArtifactRef
    """An ONNX Runtime `.onnx_adapter` file: factors and head."""
    tokenizer: ArtifactRef
    """`tokenizer.json` of the base."""
    chat_template: ArtifactRef | None = None
    """The base's Jinja template with its special tokens set, which makes a prompt of messages; null: it has none, or
    the version's task asks for none."""
    identity: ModelIdentity
    """What the version is that it answers as."""
