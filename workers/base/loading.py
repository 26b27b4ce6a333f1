"""Loads a frozen base from a folder, without a head or with the one that foretells tokens, and says which it is."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from schemas.artifacts import Digest, SourceUri
from schemas.model.identity import BaseIdentity
from workers.base.folder import check_base_folder
from workers.runtime.errors import JobError

_REQUIRED: Final = ("config.json", "tokenizer.json")


@dataclass(frozen=True)
class Base:
    encoder: nn.Module
    """The network. In evaluation mode, float32, no gradients, no pooler."""
    tokenizer_file: Path
    config: Any
    digest: Digest

    @property
    def max_length(self) -> int:
        """How much the base reads at once. Unit: tokens."""
        return min([int(self.config.max_position_embeddings), *self._positions()])

    def _positions(self) -> Iterator[int]:
        """RoBERTa and its kin count positions from behind that of padding, which takes some of the table's rows."""
        for name, module in self.encoder.named_modules():
            if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
                yield module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)

    @property
    def feature_size(self) -> int:
        return 2 * int(self.config.hidden_size)

    def identity(self, uri: SourceUri) -> BaseIdentity:
        """What is recorded of it with every version that is made from it."""
        return BaseIdentity(
            uri=uri,
            digest=self.digest,
            architecture="decoder" if _is_causal(self.config) else "encoder",
            model_type=self.config.model_type,
            hidden_size=self.config.hidden_size,
            num_hidden_layers=self.config.num_hidden_layers,
            vocab_size=self.config.vocab_size,
        )


def base_digest(folder: Path) -> Digest:
    """Over the configuration, the tokenizer and the weights: what decides every logit, and nothing else."""
    parts = []
    for file in [*(folder / name for name in _REQUIRED), *_weight_files(folder)]:
        if not file.is_file():
            raise JobError(f"base model folder {folder.name} lacks {file.name}; expected {', '.join(_REQUIRED)}")
        with file.open("rb") as data:
            parts.append([file.name, hashlib.file_digest(data, "sha256").hexdigest()])
    return f"sha256:{hashlib.sha256(json.dumps(parts).encode()).hexdigest()}"


def load_base(folder: Path) -> Base:
    """The base's states, without any head. safetensors only, no remote code, no network."""
    return _load(folder, AutoModel)


def load_causal_lm(folder: Path) -> Base:
    """The base with the layer that makes logits of the next token. JobError: it has none."""
    base = _load(folder, AutoModelForCausalLM)
    if not _is_causal(base.config):
        raise JobError(
            f"base model {folder.name} is for {', '.join(base.config.architectures or ()) or 'nothing that it names'}; "
            "text-generation needs a causal language model, such as LlamaForCausalLM"
        )
    return base


def _load(folder: Path, model_class: Any) -> Base:
    digest = base_digest(folder)
    check_base_folder(folder, _weight_files(folder))
    # A base brings heads that we leave out: expected, not worth a report.
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        encoder = model_class.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
        )
    except MemoryError:
        raise
    except Exception as error:  # the library checks little: a wrong configuration fails wherever it is first used
        raise JobError(f"base model {folder.name} cannot be loaded: {type(error).__name__}: {error}") from error
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None  # features never pass it, and its `dense` must not become a LoRA target
    encoder.eval().requires_grad_(False)
    for name, parameter in encoder.named_parameters():
        if not torch.isfinite(parameter).all():
            raise JobError(f"base model {folder.name}: weight {name} holds numbers that are not finite")
    return Base(encoder, folder / "tokenizer.json", encoder.config, digest)


def _is_causal(config: Any) -> bool:
    """By the class of model that the folder's configuration names."""
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.architectures or ())


def _weight_files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise JobError(f"base model folder {folder.name} holds no .safetensors file; pickled weights are never read")
    return files
