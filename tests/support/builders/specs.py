"""Specs of every kind of job: as a client writes them, and whole, as a worker gets them."""

from pathlib import Path
from typing import Any, Final

from schemas.data.operators import Operator, pipeline
from schemas.jobs.attack import AttackSpec
from schemas.jobs.curate import CurateSpec, Source
from schemas.jobs.evaluate import EvaluateSpec
from schemas.jobs.export import ExportSpec
from schemas.jobs.merge import MergeSource, MergeSpec
from schemas.jobs.train import TrainSpec
from schemas.model.references import GraphRef, ModelRef
from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import BASE, MODEL, model_ref

CURATE: Final[dict[str, Any]] = {"dataset": "reviews", "sources": [{"uri": "file:///data/reviews.csv"}]}
"""What a client asks."""
TRAIN: Final[dict[str, Any]] = {"model": MODEL, "base_model": BASE, "dataset": "reviews@latest"}
"""What a client asks."""

HEAD: Final = {"type": "head"}
"""The method that trains a head alone."""


def lora(**fields: Any) -> dict[str, Any]:
    """The method that trains low-rank updates too."""
    return {"type": "lora", **fields}


FULL: Final = {"type": "full"}
"""The method that trains every weight."""


def prompt(num_virtual_tokens: int = 4) -> dict[str, Any]:
    """The method that trains rows before each text."""
    return {"type": "prompt", "num_virtual_tokens": num_virtual_tokens}


def frozen_head(version: ModelRef | str) -> dict[str, Any]:
    """The task of a training that keeps another version's head."""
    return {"type": "text-classification", "head": {"type": "frozen", "model_version": version}}


def operators(*changes: Operator) -> list[dict[str, Any]]:
    """The default operators with these, as a client writes them."""
    return [operator.model_dump(mode="json") for operator in pipeline(*changes)]


def source_at(of: Path | str = "file:///data/reviews.csv", **fields: Any) -> Source:
    """Rows of a file, by its path or URI."""
    return Source(uri=of.as_uri() if isinstance(of, Path) else of, **fields)


def curate_spec(*sources: Source, **fields: Any) -> CurateSpec:
    return CurateSpec.model_validate({"dataset": "reviews", "sources": sources or (source_at(),), **fields})


def train_spec(**fields: Any) -> TrainSpec:
    return TrainSpec.model_validate({"model": MODEL, "base_model": BASE, "dataset": dataset_ref(), **fields})


def merge_spec(*versions: ModelRef, weights: tuple[float, ...] | None = None, **fields: Any) -> MergeSpec:
    """Every version counts once, unless its weight is given."""
    sources = [
        MergeSource(model_version=version, weight=weight)
        for version, weight in zip(versions, weights or (1.0,) * len(versions), strict=True)
    ]
    return MergeSpec.model_validate({"model": MODEL, "sources": sources, **fields})


def export_spec(version: ModelRef | None = None, **fields: Any) -> ExportSpec:
    return ExportSpec.model_validate({"model_version": version or model_ref(), **fields})


def evaluate_spec(version: ModelRef | None = None, graph: GraphRef | None = None, **fields: Any) -> EvaluateSpec:
    return EvaluateSpec.model_validate(_asking(version, graph) | fields)


def attack_spec(version: ModelRef | None = None, graph: GraphRef | None = None, **fields: Any) -> AttackSpec:
    return AttackSpec.model_validate(_asking(version, graph) | fields)


def _asking(version: ModelRef | None, graph: GraphRef | None) -> dict[str, Any]:
    return {"model_version": version or model_ref(), "graph": graph, "dataset": dataset_ref()}
