"""The adapter file: change, head and identity of one model version in one safetensors file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from schemas.model.identity import ModelIdentity
from workers.adapters.forms.change import Change, read_change
from workers.adapters.forms.low_rank.change import LowRankChange
from workers.base.arrays import Floats
from workers.runtime.errors import JobError
from workers.tasks.text_classification.head import Head, head_digest

MEDIA_TYPE: Final = "application/vnd.graftwork.adapter+safetensors"
# One metadata key: safetensors writes several in an order that varies, and the file's digest with it.
_METADATA_KEY: Final = "graftwork.identity.v1"


MAX_BYTES: Final = 1 << 30
"""Bytes of an adapter file: rank 256 on every linear layer of a large encoder stays below."""


@dataclass(frozen=True)
class Adapter:
    identity: ModelIdentity
    change: Change
    head: Head

    @property
    def low_rank(self) -> LowRankChange:
        """The change, for who takes that form alone."""
        if not isinstance(self.change, LowRankChange):
            raise JobError(f"the adapter has form {self.identity.form.type}, expected low_rank")
        return self.change


def serialize_adapter(adapter: Adapter) -> bytes:
    """The same adapter gives the same bytes."""
    tensors = adapter.change.tensors() | {"head.weight": adapter.head.weight, "head.bias": adapter.head.bias}
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
        head = Head(tensors.pop("head.weight"), tensors.pop("head.bias"))
        change = read_change(identity.form, tensors)
    except KeyError as error:
        raise JobError(f"adapter {name} lacks tensor {error.args[0]}") from error
    except ValueError as error:
        raise JobError(f"adapter {name}: {error}") from error
    adapter = Adapter(identity, change, head)
    _check_head(adapter, name)
    return adapter


def _check_head(adapter: Adapter, name: str) -> None:
    task, head = adapter.identity.task, adapter.head
    labels = len(task.labels)
    if head.weight.ndim != 2 or head.weight.shape[0] != labels or head.bias.shape != (labels,):
        raise JobError(f"adapter {name}: head of shape {head.weight.shape} does not fit {labels} labels")
    if (found := head_digest(head, task.labels)) != task.head_digest:
        raise JobError(f"adapter {name}: its head has digest {found}, its identity says {task.head_digest}")
