"""The adapter file: factors, head and identity of one model version in one safetensors file."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from schemas.artifacts import Digest
from schemas.model.identity import ModelIdentity
from workers.runtime.errors import JobError

Floats = npt.NDArray[np.float32]

MEDIA_TYPE: Final = "application/vnd.graftwork.adapter+safetensors"
# One metadata key: safetensors writes several in an order that varies, and the file's digest with it.
_METADATA_KEY: Final = "graftwork.identity.v1"


MAX_BYTES: Final = 1 << 30
"""Bytes of an adapter file: rank 256 on every linear layer of a large encoder stays below."""


@dataclass(frozen=True)
class Factors:
    """One module's update, B·A, laid out as PEFT does, with the scaling of whatever method found it folded into B."""

    a: Floats  # [r, in]
    b: Floats  # [out, r]


@dataclass(frozen=True)
class Head:
    """logits = features · weightᵀ + bias."""

    weight: Floats  # [labels, features]
    bias: Floats  # [labels]


@dataclass(frozen=True)
class Adapter:
    identity: ModelIdentity
    factors: Mapping[str, Factors]
    """By the module's path inside the encoder, such as `encoder.layer.0.attention.self.query`; empty when r is 0."""
    head: Head


def head_digest(head: Head, labels: tuple[str, ...]) -> Digest:
    """Equal digests mean one head: the same numbers for the same labels in the same order."""
    digest = hashlib.sha256()
    digest.update(json.dumps([labels, head.weight.shape], ensure_ascii=True).encode())
    digest.update(np.ascontiguousarray(head.weight, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(head.bias, dtype="<f4").tobytes())
    return f"sha256:{digest.hexdigest()}"


def serialize_adapter(adapter: Adapter) -> bytes:
    """The same adapter gives the same bytes."""
    tensors = {"head.weight": adapter.head.weight, "head.bias": adapter.head.bias}
    for module in sorted(adapter.factors):
        tensors[f"{module}.lora_A"] = adapter.factors[module].a
        tensors[f"{module}.lora_B"] = adapter.factors[module].b
    metadata = json.dumps(adapter.identity.model_dump(mode="json"), sort_keys=True)
    contiguous = {name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in tensors.items()}
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
        modules = sorted({key.rpartition(".")[0] for key in tensors})
        factors = {
            module: Factors(tensors.pop(f"{module}.lora_A"), tensors.pop(f"{module}.lora_B")) for module in modules
        }
    except KeyError as error:
        raise JobError(f"adapter {name} lacks tensor {error.args[0]}") from error
    if tensors:
        raise JobError(f"adapter {name} holds unknown tensor {min(tensors)}; expected lora_A, lora_B and head only")
    adapter = Adapter(identity, factors, head)
    _check_shapes(adapter, name)
    _check_head(adapter, name)
    return adapter


def _check_shapes(adapter: Adapter, name: str) -> None:
    labels, r = len(adapter.identity.task.labels), adapter.identity.form.r
    if adapter.head.weight.ndim != 2 or adapter.head.weight.shape[0] != labels or adapter.head.bias.shape != (labels,):
        raise JobError(f"adapter {name}: head of shape {adapter.head.weight.shape} does not fit {labels} labels")
    for module, factors in adapter.factors.items():
        if factors.a.ndim != 2 or factors.b.ndim != 2 or factors.a.shape[0] != r or factors.b.shape[1] != r:
            raise JobError(f"adapter {name}: {module} has {factors.a.shape} and {factors.b.shape}, expected rank {r}")


def _check_head(adapter: Adapter, name: str) -> None:
    task = adapter.identity.task
    if (found := head_digest(adapter.head, task.labels)) != task.head_digest:
        raise JobError(f"adapter {name}: its head has digest {found}, its identity says {task.head_digest}")
