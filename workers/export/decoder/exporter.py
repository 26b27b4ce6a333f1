"""Exports text generation: the base's decoder graph is built once, and every low-rank version is rows of its tables."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import onnx

from schemas.artifacts import Digest
from workers.adapters.files import Adapter
from workers.adapters.forms.low_rank.modules import all_linear
from workers.base.arrays import Floats
from workers.base.chat import ChatTemplate, read_chat_template
from workers.base.loading import Base, load_causal_lm
from workers.export.adapter_conversion import decoder_inputs
from workers.export.base_graph import IDENTITY_KEY, Identity
from workers.export.decoder.builder import build_graph
from workers.export.decoder.graph_rewrite import add_update_paths, choose_places, find_targets
from workers.export.decoder.parity import measure_parity
from workers.graph.decoder.form import DecoderForm
from workers.graph.file import MAX_BYTES
from workers.runtime.errors import JobError

__all__ = ["build_base_graph", "chat_template", "graph_identity", "graph_inputs", "load", "measure_parity"]

load = load_causal_lm
_HEAD_MULTIPLE: Final = 16
"""ONNX Runtime's attention on a processor takes heads whose size is a multiple of it. Unit: dimensions."""


def chat_template(base: Base, adapter: Adapter) -> ChatTemplate | None:
    """The base's digest does not hold it: one that was edited since would make other prompts than were trained."""
    found, trained = read_chat_template(base.tokenizer_file.parent), adapter.identity.generation.chat_template_digest
    digest = found.digest if found else None
    if digest != trained:
        raise JobError(f"the base's chat template has digest {digest}, the version was trained with {trained}")
    return found


def graph_identity(base: Base, adapter: Adapter, adapter_digest: Digest) -> Identity:
    """Every linear layer of the graph takes updates, so a graph serves every low-rank version of its base."""
    return {
        "base_digest": base.digest,
        "graph_recipe": list(adapter.identity.task.graph_recipe()),
        "target_modules": sorted({path.rpartition(".")[2] for path in all_linear(base.encoder)}),
    }


def build_base_graph(base: Base, adapter: Adapter, identity: Identity, workdir: Path) -> bytes:
    widths = {path: (layer.in_features, layer.out_features) for path, layer in all_linear(base.encoder).items()}
    _check_sizes(base.config, widths)
    folder = base.tokenizer_file.parent
    model = build_graph(folder, _architecture(base.config), identity["precision"], workdir)
    form = DecoderForm(
        layers=base.config.num_hidden_layers,
        kv_heads=base.config.num_key_value_heads,
        head_size=_head_size(base.config),
        context_length=base.max_length,
        targets=find_targets(model, widths, identity["precision"]),
    )
    del model.metadata_props[:]
    choose_places(model, base.config.vocab_size)
    add_update_paths(model, form)
    entry = model.metadata_props.add()
    entry.key, entry.value = IDENTITY_KEY, json.dumps(identity, sort_keys=True)
    if (size := model.ByteSize()) > MAX_BYTES:
        raise JobError(f"the base's decoder graph has {size} bytes, expected at most {MAX_BYTES}")
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def graph_inputs(adapter: Adapter, base_graph: Path) -> dict[str, Floats]:
    return decoder_inputs(adapter, read_form(base_graph))


def read_form(graph: Path) -> DecoderForm:
    model: Any = onnx.load(str(graph), load_external_data=False)
    return DecoderForm.read({entry.key: entry.value for entry in model.metadata_props}, graph.name)


def _check_sizes(config: Any, widths: Mapping[str, tuple[int, int]]) -> None:
    if (head_size := _head_size(config)) % _HEAD_MULTIPLE:
        raise JobError(
            f"the base's attention heads have size {head_size}, expected a multiple of {_HEAD_MULTIPLE}: "
            "ONNX Runtime serves no other"
        )
    # it tells the output layer from others by this number alone, and would build another network
    if alike := [path for path, (_, outputs) in widths.items() if outputs == config.vocab_size]:
        raise JobError(
            f"the base's {alike[0]} has {config.vocab_size} outputs, as many as its vocabulary has tokens: "
            "the builder of decoder graphs takes it for the output layer"
        )


def _head_size(config: Any) -> int:
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def _architecture(config: Any) -> str:
    return ", ".join(config.architectures or ()) or str(config.model_type)
