"""What a base graph is for; and an encoder's: factors, virtual tokens and head of a version are its inputs."""

import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from schemas.artifacts import Digest
from schemas.model.forms import MAX_VIRTUAL_TOKENS
from workers.adapters.files import Adapter
from workers.adapters.forms.low_rank.modules import lora_layers, target_paths
from workers.adapters.forms.virtual_tokens.change import INPUT
from workers.adapters.forms.virtual_tokens.modules import encode_after
from workers.base.loading import Base
from workers.runtime.errors import JobError
from workers.tasks.text_classification.classifier import LinearHead
from workers.tasks.text_classification.features import features

GRAPH_MEDIA_TYPE: Final = "application/onnx"
_OPSET: Final = 18
IDENTITY_KEY: Final = "graftwork.graph.v1"
# Sizes while tracing: no two equal and none 1, so that none is mistaken for another or for a constant.
_TRACED_RANK, _TRACED_LABELS, _TRACED_BATCH, _TRACED_LENGTH, _TRACED_ROWS = 3, 5, 2, 7, 11

Identity = dict[str, Any]
"""What a base graph was exported for."""


def graph_identity(base: Base, adapter: Adapter, adapter_digest: Digest) -> Identity:
    """`adapter_digest`: of the adapter's file, which names the weights of a graph that is the version's own."""
    inputs = adapter.identity.form.shared_inputs()
    return {
        "base_digest": base.digest,
        "feature_recipe": adapter.identity.classification.feature_recipe,
        "target_modules": sorted(inputs or ()),
        "weights": base.digest if inputs is not None else adapter_digest,
    }


def export_base_graph(base: Base, identity: Identity) -> bytes:
    """The graph of `base`'s weights as they are; `base` is as it was afterwards."""
    paths = target_paths(base.encoder, identity["target_modules"])
    names = {f"encoder.{path}.{factor}": f"{path}.{factor}" for path in paths for factor in ("lora_A", "lora_B")}
    names |= {"head.weight": "head.weight", "head.bias": "head.bias"}
    with lora_layers(base.encoder, paths, _TRACED_RANK):
        classifier = _Traced(base.encoder, base.feature_size, _TRACED_LABELS).eval()
        _make_distinct([classifier.get_parameter(name) for name in names])
        model = _trace(classifier)
    _make_rows_optional(model)
    _make_overridable(model, names)
    _clean(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = IDENTITY_KEY, json.dumps(identity, sort_keys=True)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def read_identity(graph: Path) -> Identity:
    entries = {entry.key: entry.value for entry in onnx.load(str(graph), load_external_data=False).metadata_props}
    if IDENTITY_KEY not in entries:
        raise JobError("base_graph is no base graph of ours: it does not say which base it was exported from")
    identity: Identity = json.loads(entries[IDENTITY_KEY])
    return identity


class _Traced(nn.Module):
    """The classifier as a graph: virtual tokens are an input of it."""

    def __init__(self, encoder: nn.Module, feature_size: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = LinearHead(feature_size, labels)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, virtual_tokens: Tensor) -> Tensor:
        states = encode_after(self.encoder, virtual_tokens, input_ids, attention_mask)
        logits: Tensor = self.head(features(states.hidden_states, attention_mask))
        return logits


def _make_distinct(parameters: Sequence[nn.Parameter]) -> None:
    """The exporter merges equal constants, and two inputs must not become one."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in parameters:
            parameter.normal_(generator=generator)


def _trace(classifier: _Traced) -> Any:
    ids = torch.ones(_TRACED_BATCH, _TRACED_LENGTH, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 4:] = 0  # a mask of ones alone would let the exporter drop it
    width = classifier.encoder.get_input_embeddings().embedding_dim  # type: ignore[operator]
    rows = torch.randn(_TRACED_ROWS, width, generator=torch.Generator().manual_seed(0))
    dimensions = {0: torch.export.Dim("batch", min=1, max=65536), 1: torch.export.Dim("length", min=1, max=512)}
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it reports each operator of torchvision, which we lack
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter deprecates parts of itself at every release
        program = torch.onnx.export(
            classifier,
            (ids, mask, rows),
            dynamo=True,
            verbose=False,
            opset_version=_OPSET,
            dynamic_shapes=(dimensions, dimensions, {0: torch.export.Dim(INPUT, min=0, max=MAX_VIRTUAL_TOKENS)}),
            input_names=["input_ids", "attention_mask", INPUT],
            output_names=["logits"],
        )
    if program is None:
        raise JobError("the exporter gave no graph")
    return program.model_proto


def _make_overridable(model: Any, inputs: Mapping[str, str]) -> None:
    """Turn parameters into inputs of any rank, with a placeholder of rank zero for when no version is given."""
    initializers = {initializer.name: initializer for initializer in model.graph.initializer}
    missing = sorted(set(inputs) - set(initializers))
    if missing:
        raise JobError(f"the exporter folded {missing[0]} away, so no version could supply it")
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            node.input[position] = inputs.get(name, name)
    for parameter, name in inputs.items():
        shape = list(initializers[parameter].dims)
        free = shape.index(_TRACED_LABELS if name.startswith("head.") else _TRACED_RANK)
        symbols: list[str | int] = [*shape]
        symbols[free] = "labels" if name.startswith("head.") else "r"
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, symbols))
        shape[free] = 0
        initializers[parameter].CopyFrom(onnx.numpy_helper.from_array(np.zeros(shape, np.float32), name))


def _make_rows_optional(model: Any) -> None:
    """No rows, for when a version gives none."""
    shape = next(found for found in model.graph.input if found.name == INPUT).type.tensor_type.shape
    nothing = np.zeros((0, shape.dim[1].dim_value), np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(nothing, INPUT))


def _clean(model: Any) -> None:
    """Drop what tracing noted about its own sizes and files: it is wrong for other ranks, and varies by machine."""
    del model.graph.value_info[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    model.graph.output[0].CopyFrom(
        onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", "labels"])
    )
