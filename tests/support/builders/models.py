"""What a model version is, and the references to one: no other module of the tests says it."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel

from schemas.artifacts import FeatureRecipe, GraphRef, ModelRef
from schemas.jobs.results import VersionResult
from schemas.serving import ServedVersion
from tests.support.builders.artifacts import artifact, digest

MODEL: Final = "sentiment"
LABELS: Final = ("negative", "positive")
BASE: Final = "file:///base"
IDENTITY: Final[Mapping[str, Any]] = {
    "base_model": BASE,
    "base_digest": digest("base"),
    "feature_recipe": get_args(FeatureRecipe)[0],
    "target_modules": ("query", "value"),
    "head_digest": digest("head"),
    "labels": LABELS,
    "max_length": 64,
}
"""The fields of a version's identity; a document that restates some of them takes them from here."""

Document = TypeVar("Document", bound=BaseModel)


def identified(document: type[Document], own: Mapping[str, Any], changes: Mapping[str, Any]) -> Document:
    """A document with as much of the identity as it has fields for; `changes` override, and must be fields of it."""
    if unknown := set(changes) - set(document.model_fields):
        raise TypeError(f"{document.__name__} has no field {', '.join(sorted(unknown))}")
    known = {field: value for field, value in IDENTITY.items() if field in document.model_fields}
    return document.model_validate({**known, **own, **changes})


def identity_of(document: BaseModel, of: type[BaseModel] = ModelRef) -> dict[str, Any]:
    """As much of a document's identity as another kind of document has fields for."""
    shared = set(IDENTITY) & set(type(document).model_fields) & set(of.model_fields)
    return {field: getattr(document, field) for field in shared}


def identified_as(document: Document, **changes: Any) -> Document:
    """A copy of a document whose identity differs in these fields, unchecked."""
    if unknown := set(changes) - set(IDENTITY):
        raise TypeError(f"no field of an identity: {', '.join(sorted(unknown))}")
    return document.model_copy(update=changes)


def model_ref(number: int = 1, **changes: Any) -> ModelRef:
    """Version `number` of a model; its id is the number too."""
    own = {"id": UUID(int=number), "model": MODEL, "version": number, "adapter": artifact(f"adapter-{number}")}
    return identified(ModelRef, own, changes)


def registered(result: VersionResult, number: int = 1) -> ModelRef:
    """The version that the control plane would register for a result."""
    return model_ref(number, model=result.model, adapter=result.adapter, **identity_of(result))


def graph_ref(version: UUID | int = 1, **changes: Any) -> GraphRef:
    """The served graph of a version: every version's has the same base graph."""
    own = {
        "base_graph": artifact("base graph"),
        "adapter": artifact(f"graph of {version}"),
        "tokenizer": artifact("tokenizer"),
    }
    return identified(GraphRef, own, changes)


def served_version(number: int = 1, graph: GraphRef | None = None, **changes: Any) -> ServedVersion:
    """A version as a gateway is told of it; its id is its number."""
    own: dict[str, Any] = {"id": UUID(int=number), "model": MODEL, "version": number}
    return ServedVersion.model_validate({**own, "graph": graph or graph_ref(number), **changes})
