"""Looks at a base model's folder before a library loads it: what it may not ask for, and how large it may say it is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from workers.runtime.errors import JobError

MAX_CONFIG_BYTES: Final = 1 << 20
"""Bytes of a base's config.json."""
MAX_INDEX_BYTES: Final = 16 << 20
"""Bytes of a base's list of weight files, model.safetensors.index.json."""
MAX_WEIGHT_BYTES: Final = 16 << 30
"""Bytes of all weight files of a base together."""
MAX_SIZE: Final = 1 << 24
"""The size of any number in a base's config.json: the largest vocabularies have 300,000 entries."""
MAX_LAYERS: Final = 1024
"""The library builds as many before it looks at the weights."""
REFUSED_KEYS: Final = ("auto_map", "custom_pipelines", "quantization_config")
"""Code to run, and packages to import, that the folder would choose."""
REFUSED_FILES: Final = ("adapter_config.json",)
"""The library would load another model, which this file names, instead of the folder's own."""
INDEX: Final = "model.safetensors.index.json"


def check_base_folder(folder: Path, weights: list[Path]) -> None:
    for name in REFUSED_FILES:
        if (folder / name).exists():
            raise JobError(f"base model {folder.name}: expected a base, and found {name} of an adapter")
    size = sum(file.stat().st_size for file in weights)
    if size > MAX_WEIGHT_BYTES:
        raise JobError(f"base model {folder.name} has {size} bytes of weights, expected at most {MAX_WEIGHT_BYTES}")
    _check_config(folder)
    if (folder / INDEX).exists():
        _check_index(folder, {file.name for file in weights})


def _check_config(folder: Path) -> None:
    config = read_object(folder / "config.json", MAX_CONFIG_BYTES)
    for key in REFUSED_KEYS:
        if key in config:
            raise JobError(f"base model {folder.name}: config.json has {key}, which is never followed here")
    for key, number in _numbers(config):
        if not -MAX_SIZE <= number <= (MAX_LAYERS if "layers" in key else MAX_SIZE):
            raise JobError(f"base model {folder.name}: config.json says {key} {number}, which no model has")


def _check_index(folder: Path, names: set[str]) -> None:
    found = read_object(folder / INDEX, MAX_INDEX_BYTES).get("weight_map")
    if not isinstance(found, dict) or not {str(name) for name in found.values()} <= names:
        raise JobError(f"base model {folder.name}: {INDEX} names files that are not in the folder")


def read_object(file: Path, most: int) -> dict[str, Any]:
    if (size := file.stat().st_size) > most:
        raise JobError(f"{file.name} has {size} bytes, expected at most {most}")
    try:
        found = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise JobError(f"{file.name} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise JobError(f"{file.name} must hold a JSON object")
    return found


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number with the key that it stands under. What JSON nests deeply, `json.loads` has refused."""
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _numbers(item, inner)
    elif isinstance(value, list):
        for item in value:
            yield from _numbers(item, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, value
