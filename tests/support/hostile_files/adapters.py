"""Adapters, checkpoints and whatever else is safetensors."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from tests.support.hostile_files.hostile import HEAD, IDENTITY, MIB, Hostile, pickled, written


def safetensors(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def good_adapter(weight: Any = None, **changes: object) -> bytes:
    tensors = {
        "head.weight": HEAD.weight if weight is None else weight,
        "head.bias": HEAD.bias,
    }
    data: bytes = save(tensors, metadata={"graftwork.identity.v1": json.dumps({**IDENTITY, **changes})})
    return data


OURS = {"graftwork.identity.v1": json.dumps(IDENTITY)}
NAN = np.full((2, 4), np.nan, np.float32)
SAFETENSORS: dict[str, bytes | Callable[[Path], bytes]] = {
    "nothing": b"",
    "a pickle": pickled,
    "truncated": good_adapter()[:-5],
    "a header of 2^63 bytes": safetensors({}, length=2**63),
    "a header of 2^64-1 bytes": safetensors({}, length=2**64 - 1),
    "a header longer than the file": safetensors({"w": tensor([1], [0, 4])}, b"0000", length=10**9),
    "a giant header": lambda _: safetensors(b'{"__metadata__":{"x":"' + b"x" * (101 * MIB) + b'"}}'),
    "a deep header": lambda _: safetensors(b"[" * 100_000 + b"]" * 100_000),
    "2^40 elements": safetensors({"__metadata__": OURS, "w": tensor([2**20, 2**20], [0, 4])}, b"0000"),
    "a size that overflows": safetensors({"__metadata__": OURS, "w": tensor([2**62, 4, 2**62], [0, 4])}, b"0000"),
    "negative offsets": safetensors({"w": tensor([1], [-4, 0])}, b"0000"),
    "overlapping offsets": safetensors({"a": tensor([2], [0, 8]), "b": tensor([2], [4, 12])}, b"0" * 12),
    "offsets outside the file": safetensors({"a": tensor([2], [0, 8])}, b"0" * 4),
    "an unknown type": safetensors({"a": tensor([1], [0, 4], "EVIL")}, b"0" * 4),
    "another type": good_adapter(np.zeros((2, 4), np.int64)),
    "NaN": good_adapter(NAN),
    "infinity": good_adapter(np.full((2, 4), np.inf, np.float32)),
    "a rank of 10^12": good_adapter(form={**IDENTITY["form"], "r": 10**12}),
    "a method nobody knows": good_adapter(method={"type": "sorcery"}),
    "an alpha that is no number": good_adapter(method={"type": "lora", "lora_alpha": float("nan")}),
    "a length of 10^12": good_adapter(max_length=10**12),
    "no labels": good_adapter(task={**IDENTITY["task"], "labels": []}),
    "invalid UTF-8": safetensors(b'{"\xff\xfe": 1}'),
}


def adapters() -> Iterator[Hostile]:
    for name, data in SAFETENSORS.items():
        yield Hostile(name, written("adapter.safetensors", data), "not an adapter file of ours")


def checkpoints() -> Iterator[Hostile]:
    for name in ("nothing", "a pickle", "truncated", "2^40 elements", "overlapping offsets", "NaN"):
        yield Hostile(name, written("checkpoint", SAFETENSORS[name]), "does not fit this job")
    odd = save({"x": np.zeros(1, np.float32)}, metadata={"graftwork.checkpoint.v1": '{"step": "many"}'})
    yield Hostile("a step that is no number", written("checkpoint", odd), "does not fit this job")
    listed = save({"x": np.zeros(1, np.float32)}, metadata={"graftwork.checkpoint.v1": "[]"})
    yield Hostile("a state that is a list", written("checkpoint", listed), "does not fit this job")
