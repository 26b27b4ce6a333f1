"""A document as the control plane completes it: whole references where a name stands."""

from typing import Any

from tests.support.builders.datasets import dataset_ref
from tests.support.builders.models import model_ref

DATASET = dataset_ref().model_dump(mode="json")
MODEL = model_ref().model_dump(mode="json")
REFERENCES: dict[str, Any] = {"dataset": DATASET, "parent": DATASET, "public_dataset": DATASET, "model_version": MODEL}


def with_whole_references(document: dict[str, Any]) -> dict[str, Any]:
    """Names of versions (`reviews@latest`, `sentiment/1`) are replaced; names of datasets and models are not."""
    return {key: _whole(key, value) for key, value in document.items()}


def _whole(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return with_whole_references(value)
    if isinstance(value, list):
        return [_whole(key, item) for item in value]
    return REFERENCES[key] if key in REFERENCES and isinstance(value, str) and ("@" in value or "/" in value) else value
