"""The adapter file: change, identity and, where its task has one, head of one model version in one safetensors file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from schemas.model.identity import ModelIdentity
from schemas.model.tasks import TextClassification
from workers.adapters.forms.change import Change, read_change
from workers.adapters.forms.low_rank.change import LowRankChange
from workers.adapters.head import Head, read_head
from workers.base.arrays import Floats
from workers.runtime.errors import JobError

MEDIA_TYPE: Final = "application/vnd.graftwork.adapter+safetensors"
# One metadata key: safetensors writes several in an order that varies, and the file's digest with it.
_METADATA_KEY: Final = "graftwork.identity.v1"


MAX_BYTES: Final = 1 << 30
"""Bytes of an adapter file: rank 256 on every linear layer of a large encoder stays below."""


@dataclass(frozen=True)
class Adapter:
    identity: ModelIdentity
    change: Change
    head: Head | None = None
    """What a text classification answers with; None: its task has none."""

    @property
    def low_rank(self) -> LowRankChange:
        """The change, for who takes that form alone."""
        if not isinstance(self.change, LowRankChange):
            raise JobError(f"the adapter has form {self.identity.form.type}, expected low_rank")
        return self.change

    @property
    def linear_head(self) -> Head:
        """The head, for who takes text classification alone."""
        if self.head is None:
            raise JobError(f"the adapter is for {self.identity.task.type}, expected text-classification")
        return self.head


def serialize_adapter(adapter: Adapter) -> bytes:
    """The same adapter gives the same bytes."""
    tensors = adapter.change.tensors() | (adapter.head.tensors() if adapter.head else {})
    metadata = json.dumps(adapter.identity.model_dump(mode="json"), sort_keys=True)
    contiguous = {name: np.ascontiguousarray(tensors[name], dtype=np.float32) for name in sorted(tensors)}
    data: bytes = save(contiguous, metadata={_METADATA_KEY: metadata})
    return data


def write_adapter(adapter: Adapter, path: Path) -> None:
    path.write_bytes(serialize_adapter(adapter))


def read_adapter(path: Path) -> Adapter:
    """A checked adapter: what we did not write, or what does not fit together, is refused."""
    if path.stat().st_size > MAX_BYTES:
        raise JobError(f"adapter {path.name} has {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
    try:
        with safe_open(path, framework="numpy") as file:
            identity = ModelIdentity.model_validate_json((file.metadata() or {}).get(_METADATA_KEY, ""))
            tensors = {name: _numbers(file, name) for name in sorted(file.keys())}
    except (SafetensorError, ValidationError, OSError) as error:
        raise JobError(f"adapter {path.name} is not an adapter file of ours: {error}") from error
    return _assemble(identity, tensors, path.name)


def _numbers(file: Any, name: str) -> Floats:
    """The header is asked first: a tensor of another type is never read."""
    if (dtype := file.get_slice(name).get_dtype()) != "F32":
        raise SafetensorError(f"tensor {name} is {dtype}, expected F32")
    tensor: Floats = file.get_tensor(name)
    if not np.isfinite(tensor).all():
        raise SafetensorError(f"tensor {name} holds numbers that are not finite")
    return tensor


def _assemble(identity: ModelIdentity, tensors: dict[str, Floats], name: str) -> Adapter:
    try:
        head = read_head(identity.task, tensors) if isinstance(identity.task, TextClassification) else None
        return Adapter(identity, read_change(identity.form, tensors), head)
    except ValueError as error:
        raise JobError(f"adapter {name}: {error}") from error
