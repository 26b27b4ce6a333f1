"""Every version's factors, stacked as the decoder graph takes them: a row of each table for each version."""

from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Final

import numpy as np
import onnxruntime as ort

from workers.base.arrays import Floats
from workers.graph.decoder.form import LORA_A, LORA_B, Target

BASE: Final = 0
"""The row of zeros: the base as it is."""


class AdapterTables:
    """Safe to share between threads. A version that is unloaded keeps its row until no text is written by it."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = targets
        self._rows = 1
        self._tables: dict[str, Floats] = {}
        for target in targets:
            self._tables[f"{target.name}.{LORA_A}"] = np.zeros((1, target.inputs, 0), np.float32)
            self._tables[f"{target.name}.{LORA_B}"] = np.zeros((1, 0, target.outputs), np.float32)
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._users: Counter[int] = Counter()
        self._lock = Lock()
        self._values = self._wrapped()

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(self._slots)

    @property
    def inputs(self) -> Mapping[str, ort.OrtValue]:
        """The graph's inputs, for one run: a later version may have made them larger."""
        return self._values

    def load(self, version: str, factors: Mapping[str, Floats]) -> None:
        """ValueError: the factors are not those of this graph. An earlier version of the name is unloaded."""
        self._check(factors)
        with self._lock:
            slot = self._free.pop() if self._free else self._add_row()
            for target in self._targets:
                self._put(target, slot, factors)
            self._values = self._wrapped()
            self._retire(version)
            self._slots[version] = slot

    def unload(self, version: str) -> None:
        with self._lock:
            self._retire(version)

    def take(self, version: str | None) -> int:
        """The row of a version, which is its own until it is given back; None: the base. KeyError: it is not loaded."""
        with self._lock:
            slot = BASE if version is None else self._slots[version]
            self._users[slot] += 1
            return slot

    def give_back(self, slot: int) -> None:
        with self._lock:
            self._users[slot] -= 1
            self._free_if_unused(slot)

    def _retire(self, version: str) -> None:
        slot = self._slots.pop(version, None)
        if slot is not None:
            self._free_if_unused(slot)

    def _free_if_unused(self, slot: int) -> None:
        if slot != BASE and not self._users[slot] and slot not in self._slots.values():
            self._free.append(slot)

    def _add_row(self) -> int:
        """Twice as many rows where there is none: each growth copies all of them."""
        first, self._rows = self._rows, 2 * self._rows
        for name, table in self._tables.items():
            self._tables[name] = np.concatenate([table, np.zeros_like(table)])
        self._free.extend(range(self._rows - 1, first, -1))
        return first

    def _put(self, target: Target, slot: int, factors: Mapping[str, Floats]) -> None:
        a, b = f"{target.name}.{LORA_A}", f"{target.name}.{LORA_B}"
        rank = factors[a].shape[1] if a in factors else 0
        if (lacking := rank - self._tables[a].shape[2]) > 0:
            self._tables[a] = np.pad(self._tables[a], ((0, 0), (0, 0), (0, lacking)))
            self._tables[b] = np.pad(self._tables[b], ((0, 0), (0, lacking), (0, 0)))
        self._tables[a][slot] = 0.0
        self._tables[b][slot] = 0.0
        if rank:
            self._tables[a][slot, :, :rank] = factors[a]
            self._tables[b][slot, :rank, :] = factors[b]

    def _check(self, factors: Mapping[str, Floats]) -> None:
        shapes: dict[str, tuple[int | None, int | None]]
        shapes = {f"{target.name}.{LORA_A}": (target.inputs, None) for target in self._targets}
        shapes |= {f"{target.name}.{LORA_B}": (None, target.outputs) for target in self._targets}
        for name, array in factors.items():
            if name not in shapes:
                raise ValueError(f"{name} is no input of this graph")
            target, _, factor = name.rpartition(".")
            other = factors.get(f"{target}.{LORA_B if factor == LORA_A else LORA_A}")
            if other is None or array.ndim != 2 or other.ndim != 2:
                raise ValueError(f"{name}: expected two matrices, {LORA_A} and {LORA_B}")
            if any(wanted not in (None, found) for wanted, found in zip(shapes[name], array.shape, strict=True)):
                raise ValueError(f"{name} has shape {array.shape}, the graph takes {shapes[name]}")
            if factor == LORA_A and array.shape[1] != other.shape[0]:
                raise ValueError(f"{target}: ranks {array.shape[1]} and {other.shape[0]} differ")

    def _wrapped(self) -> dict[str, ort.OrtValue]:
        return {name: ort.OrtValue.ortvalue_from_numpy(table) for name, table in self._tables.items()}
