"""A document as the control plane completes it: whole references where a name stands."""

from typing import Any
from uuid import UUID

DIGEST = "sha256:" + "0" * 64
ARTIFACT = {"digest": DIGEST, "size": 1, "media_type": "application/json"}
DATASET = {"id": str(UUID(int=1)), "dataset": "reviews", "version": 1, "digest": DIGEST, "manifest": ARTIFACT}
MODEL = {
    "id": str(UUID(int=2)), "model": "sentiment", "version": 1, "adapter": ARTIFACT, "base_model": "file:///base",
    "base_digest": DIGEST, "feature_recipe": "mid-last-mean-v1", "head_digest": DIGEST, "labels": ["a", "b"],
    "max_length": 64,
}  # fmt: skip
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
