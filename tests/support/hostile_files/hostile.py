"""A file that somebody made to break whoever reads it, and the words of its refusal."""

import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.builders.adapters import small_adapter, with_head
from workers.adapters.head import Head

MIB = 1 << 20
HEAD = Head(np.zeros((2, 4), np.float32), np.zeros(2, np.float32))
IDENTITY = with_head(small_adapter(0), HEAD, ("no", "yes")).identity.model_dump(mode="json")


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


@dataclass(frozen=True)
class Hostile:
    """A file that `make` writes into a folder, and the words that its refusal must hold."""

    name: str
    make: Callable[[Path], Path]
    words: str


def pickled(folder: Path) -> bytes:
    return pickle.dumps(Bomb(folder / "unpickled"))


def written(name: str, data: bytes | Callable[[Path], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data(folder) if callable(data) else data)
        return path

    return make
