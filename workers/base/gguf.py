"""Bases in llama.cpp's format: a GGUF file becomes a folder with safetensors, once, which every later job reads."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from workers.base.folder import MAX_WEIGHT_BYTES
from workers.runtime.errors import JobError
from workers.runtime.files import sha256_of
from workers.runtime.sources import Sources

SUFFIX: Final = ".gguf"
_FORMAT: Final = "v1"
"""What is written of a file; another is another base, for a base's digest is over what is written."""
_NOT_THE_BASE_S: Final = ("quantization_config", "transformers_version", "_name_or_path")
"""Keys of a configuration that say how the file was read: weights are plain numbers from here on."""


def fetch_base(uri: str, sources: Sources) -> Path:
    """The folder of a base, wherever it comes from; a GGUF file is converted by its digest."""
    found = sources.fetch(uri)
    if found.suffix != SUFFIX:
        return found
    if (size := found.stat().st_size) > MAX_WEIGHT_BYTES:
        raise JobError(f"base model {found.name} has {size} bytes of weights, expected at most {MAX_WEIGHT_BYTES}")
    key = sha256_of(found).removeprefix("sha256:")
    return sources.derived(f"gguf-{_FORMAT}-{key}", lambda folder: convert(found, folder))


def convert(file: Path, folder: Path) -> None:
    """Write its configuration, tokenizer, chat template and dequantised weights."""
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        _write_weights(file, folder)
        AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, local_files_only=True).save_pretrained(folder)
    except MemoryError:
        raise
    except Exception as error:  # the libraries check little: a wrong file fails wherever it is first used
        raise JobError(f"base model {file.name} cannot be read as GGUF: {type(error).__name__}: {error}") from error


def _write_weights(file: Path, folder: Path) -> None:
    """As a model of its own: one that was loaded from GGUF refuses to be saved."""
    read = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, local_files_only=True, trust_remote_code=False, dtype=torch.float32
    )
    for key in _NOT_THE_BASE_S:
        if hasattr(read.config, key):
            delattr(read.config, key)
    plain = AutoModelForCausalLM.from_config(read.config)  # type: ignore[no-untyped-call]
    plain.load_state_dict(read.state_dict())
    plain.save_pretrained(folder)
    _keep_what_is_the_bases(folder / "config.json")


def _keep_what_is_the_bases(file: Path) -> None:
    config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in _NOT_THE_BASE_S}
    file.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
