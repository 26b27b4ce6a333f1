"""What a model version is, and the references to one: no other module of the tests says it."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel

from schemas.jobs.results import VersionResult
from schemas.model.forms import LowRank
from schemas.model.identity import BaseIdentity, ModelIdentity
from schemas.model.methods import HeadAlone, Lora, Merged, Method
from schemas.model.references import GraphRef, ModelRef
from schemas.model.tasks import FeatureRecipe, TextClassification, TextGeneration
from schemas.serving import ServedVersion
from tests.support.builders.artifacts import artifact, digest

MODEL: Final = "sentiment"
LABELS: Final = ("negative", "positive")
BASE: Final = "file:///base"
RECIPE: Final = get_args(FeatureRecipe)[0]
LORA: Final = Lora()

Document = TypeVar("Document", bound=BaseModel)


def base_identity(**changes: Any) -> BaseIdentity:
    fields: dict[str, Any] = {
        "uri": BASE,
        "digest": digest("base"),
        "architecture": "encoder",
        "model_type": "bert",
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "vocab_size": 30522,
    }
    return BaseIdentity(**fields | changes)


def classification(**changes: Any) -> TextClassification:
    fields: dict[str, Any] = {"labels": LABELS, "feature_recipe": RECIPE, "head_digest": digest("head")}
    return TextClassification(**fields | changes)


def generation(**changes: Any) -> TextGeneration:
    fields: dict[str, Any] = {"chat_template_digest": digest("chat template"), "stop_token_ids": (0, 2)}
    return TextGeneration(**fields | changes)


def low_rank(**changes: Any) -> LowRank:
    return LowRank(**{"r": LORA.r, "target_modules": LORA.target_modules} | changes)


def identity(
    *,
    base: Mapping[str, Any] | None = None,
    task: TextGeneration | Mapping[str, Any] | None = None,
    method: Method = LORA,
    form: Mapping[str, Any] | None = None,
    max_length: int = 64,
) -> ModelIdentity:
    """An identity; mappings say what differs in a part of it."""
    return ModelIdentity(
        base=base_identity(**base or {}),
        task=task if isinstance(task, TextGeneration) else classification(**task or {}),
        method=method,
        form=low_rank(**form or {}),
        max_length=max_length,
    )


IDENTITY: Final = identity()
HEAD_ALONE: Final = identity(method=HeadAlone(), form={"r": 0, "target_modules": ()})
GENERATOR: Final = identity(
    base={"architecture": "decoder", "model_type": "llama", "hidden_size": 576, "vocab_size": 49152},
    task=generation(),
    form={"target_modules": ("q_proj", "v_proj")},
)
"""Of a version that answers with text."""
MERGED: Final = identity(method=Merged(merge_method="cat"), form={"r": 2 * LORA.r})
"""Of two versions with the one identity."""


def varied(of: ModelIdentity, **changes: Any) -> ModelIdentity:
    """A copy, unchecked: `max_length`, or a part with what differs in it (`task={"labels": …}`)."""
    if unknown := set(changes) - set(ModelIdentity.model_fields):
        raise TypeError(f"no field of an identity: {', '.join(sorted(unknown))}")
    parts = {
        name: getattr(of, name).model_copy(update=change) if isinstance(change, Mapping) else change
        for name, change in changes.items()
    }
    return of.model_copy(update=parts)


def identified_as(document: Document, **changes: Any) -> Document:
    """A copy of a document whose identity differs, unchecked."""
    return document.model_copy(update={"identity": varied(document.identity, **changes)})  # type: ignore[attr-defined]


def made(document: type[Document], own: Mapping[str, Any], changes: Mapping[str, Any]) -> Document:
    """A document with the one identity; `changes` override, and must be fields of it."""
    if unknown := set(changes) - set(document.model_fields):
        raise TypeError(f"{document.__name__} has no field {', '.join(sorted(unknown))}")
    return document.model_validate({"identity": IDENTITY, **own, **changes})


def model_ref(number: int = 1, **changes: Any) -> ModelRef:
    """Version `number` of a model; its id is the number too."""
    own = {"id": UUID(int=number), "model": MODEL, "version": number, "adapter": artifact(f"adapter-{number}")}
    return made(ModelRef, own, changes)


def registered(result: VersionResult, number: int = 1) -> ModelRef:
    """The version that the control plane would register for a result."""
    return model_ref(number, model=result.model, adapter=result.adapter, identity=result.identity)


def graph_ref(version: UUID | int = 1, **changes: Any) -> GraphRef:
    """The served graph of a version: every version's has the same base graph."""
    own = {
        "base_graph": artifact("base graph"),
        "precision": "fp32",
        "adapter": artifact(f"graph of {version}"),
        "tokenizer": artifact("tokenizer"),
    }
    return made(GraphRef, own, changes)


def served_version(number: int = 1, graph: GraphRef | None = None, **changes: Any) -> ServedVersion:
    """A version as a gateway is told of it; its id is its number."""
    own: dict[str, Any] = {"id": UUID(int=number), "model": MODEL, "version": number}
    return ServedVersion.model_validate({**own, "graph": graph or graph_ref(number), **changes})
