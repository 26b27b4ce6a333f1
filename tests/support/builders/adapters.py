"""Adapters that nobody trained: their identity, their numbers, and the version of one that lies in a store."""

from typing import Any, cast

import numpy as np

from schemas.model.identity import ModelIdentity
from schemas.model.references import ModelRef
from tests.support.builders.artifacts import digest
from tests.support.builders.bases import TINY_HIDDEN, TINY_LAYERS
from tests.support.builders.models import LABELS, LORA, identity, model_ref, varied
from workers.adapters.files import MEDIA_TYPE, Adapter, serialize_adapter
from workers.adapters.forms.low_rank.change import Factors, LowRankChange
from workers.adapters.head import Head, head_digest
from workers.base.arrays import Floats
from workers.runtime.artifacts import ArtifactStore


def low_rank_identity(
    base_digest: str, r: int, target_modules: tuple[str, ...] = LORA.target_modules, **changes: Any
) -> ModelIdentity:
    """Of a version of rank `r`; 0: of a head alone."""
    form = {"r": r, "target_modules": target_modules if r else ()}
    return identity(base={"digest": base_digest}, form=form, **{"max_length": 16} | changes)


def with_head(adapter: Adapter, head: Head, labels: tuple[str, ...] = LABELS) -> Adapter:
    """The adapter with another head, and the identity that says so."""
    task = {"labels": labels, "head_digest": head_digest(head, labels)}
    return Adapter(varied(adapter.identity, task=task), adapter.change, head)


def random_adapter(
    base_digest: str,
    r: int,
    seed: int,
    head_seed: int = 0,
    target_modules: tuple[str, ...] = LORA.target_modules,
    **changes: Any,
) -> Adapter:
    """Updates of the tiny base's layers, large enough to turn answers; `changes` are its identity's."""
    said = low_rank_identity(base_digest, r, target_modules, **changes)
    generator = np.random.default_rng(seed)
    paths = [
        f"encoder.layer.{layer}.attention.self.{target}"
        for layer in range(TINY_LAYERS)
        for target in said.form.target_modules
    ]
    factors = {path: _update(generator, r) for path in paths}
    head = Head(_normal(np.random.default_rng(head_seed), 2, 2 * TINY_HIDDEN), np.zeros(2, np.float32))
    return with_head(Adapter(said, LowRankChange(factors), head), head)


def small_adapter(r: int = 2) -> Adapter:
    """One module of 6 inputs and 4 outputs, and a head over 8 features: of no base that there is."""
    generator = np.random.default_rng(0)
    said = low_rank_identity(digest("a base of no shape"), r, ("query",))
    a, b = generator.normal(size=(r, 6)).astype(np.float32), generator.normal(size=(4, r)).astype(np.float32)
    head = Head(generator.normal(size=(2, 8)).astype(np.float32), np.zeros(2, np.float32))
    return with_head(
        Adapter(said, LowRankChange({"layer.0.query": Factors(a, b)} if r else {}), head), head, ("no", "yes")
    )


def store_adapter(store: ArtifactStore, adapter: Adapter, base_model: str, number: int = 1) -> ModelRef:
    """The version of an adapter that was not trained."""
    of_base = Adapter(varied(adapter.identity, base={"uri": base_model}), adapter.change, adapter.head)
    stored = store.put_bytes(serialize_adapter(of_base), MEDIA_TYPE)
    return model_ref(number, adapter=stored, identity=of_base.identity)


def _update(generator: np.random.Generator, r: int) -> Factors:
    """As large as LoRA's at its default scaling."""
    a, b = _normal(generator, r, TINY_HIDDEN), _normal(generator, TINY_HIDDEN, r)
    return Factors(a, (b * (LORA.lora_alpha / r)).astype(np.float32))


def _normal(generator: np.random.Generator, rows: int, columns: int) -> Floats:
    return cast(Floats, (0.3 * generator.normal(size=(rows, columns))).astype(np.float32))
