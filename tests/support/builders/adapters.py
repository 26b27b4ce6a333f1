"""Adapters that nobody trained: their metadata, their numbers, and the version of one that lies in a store."""

from typing import Any, cast

import numpy as np

from schemas.artifacts import ModelRef
from tests.support.builders.bases import TINY_HIDDEN, TINY_LAYERS
from tests.support.builders.models import identified, identity_of, model_ref
from workers.model.adapter import (
    MEDIA_TYPE,
    Adapter,
    AdapterMetadata,
    Factors,
    Floats,
    Head,
    head_digest,
    serialize_adapter,
)
from workers.runtime.artifacts import ArtifactStore


def adapter_metadata(**changes: Any) -> AdapterMetadata:
    own = {"r": 2, "lora_alpha": 16.0, "use_rslora": False, "max_length": 16}
    return identified(AdapterMetadata, own, changes)


def random_adapter(base_digest: str, r: int, seed: int, head_seed: int = 0, **metadata: Any) -> Adapter:
    """LoRA factors of the tiny base's layers, large enough to turn answers."""
    said = adapter_metadata(base_digest=base_digest, r=r, **metadata)
    generator = np.random.default_rng(seed)
    paths = [
        f"encoder.layer.{layer}.attention.self.{target}"
        for layer in range(TINY_LAYERS)
        for target in said.target_modules
    ]
    factors = {path: Factors(_normal(generator, r, TINY_HIDDEN), _normal(generator, TINY_HIDDEN, r)) for path in paths}
    head = Head(_normal(np.random.default_rng(head_seed), 2, 2 * TINY_HIDDEN), np.zeros(2, np.float32))
    return Adapter(said, factors if r else {}, head)


def small_adapter(r: int = 2) -> Adapter:
    """One module of 6 inputs and 4 outputs, and a head over 8 features: of no base that there is."""
    generator = np.random.default_rng(0)
    metadata = adapter_metadata(r=r, target_modules=("query",), labels=("no", "yes"))
    a, b = generator.normal(size=(r, 6)).astype(np.float32), generator.normal(size=(4, r)).astype(np.float32)
    head = Head(generator.normal(size=(2, 8)).astype(np.float32), np.zeros(2, np.float32))
    return Adapter(metadata, {"layer.0.query": Factors(a, b)} if r else {}, head)


def store_adapter(store: ArtifactStore, adapter: Adapter, base_model: str, number: int = 1) -> ModelRef:
    """The version of an adapter that was not trained."""
    return model_ref(
        number,
        adapter=store.put_bytes(serialize_adapter(adapter), MEDIA_TYPE),
        base_model=base_model,
        **identity_of(adapter.metadata) | {"head_digest": head_digest(adapter.head, adapter.metadata.labels)},
    )


def _normal(generator: np.random.Generator, rows: int, columns: int) -> Floats:
    return cast(Floats, (0.3 * generator.normal(size=(rows, columns))).astype(np.float32))
