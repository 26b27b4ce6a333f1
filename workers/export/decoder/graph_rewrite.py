"""Turns a base's decoder graph into one that serves every adapter of it: updates are gathered row by row from inputs.

Each target linear layer y = f(x) becomes y = f(x) + (x·A[slot])·B[slot], where A and B are tables with a row for each
version and a text's slot is an input too: a batch holds texts of many versions, and a new one needs no new session
(S-LoRA, https://arxiv.org/abs/2311.03285). Row 0 holds zeros.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import onnx

from schemas.model.precision import Precision
from workers.graph.decoder.form import LOGITS, LORA_A, LORA_B, METADATA_KEY, PLACES, SLOTS, DecoderForm, Target
from workers.runtime.errors import JobError

_LINEAR: Final = re.compile(r"/model/layers\.(\d+)/(attn|mlp)/(\w+)/MatMul(?:_Q4)?")
"""How the builder names a linear layer's node; quantised weights have a node of another kind."""
_HEAD: Final = re.compile(r"/lm_head/MatMul(?:_Q4)?")
_KINDS: Final[Mapping[Precision, str]] = {"fp32": "MatMul", "int4": "MatMulNBits"}
_BLOCKS: Final[Mapping[str, str]] = {"attn": "self_attn", "mlp": "mlp"}
_PACKED: Final[Mapping[str, tuple[str, ...]]] = {"qkv_proj": ("q_proj", "k_proj", "v_proj")}
"""Layers of the base that the builder computes at once."""
_FLOAT, _INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def find_targets(model: Any, widths: Mapping[str, tuple[int, int]], precision: Precision) -> tuple[Target, ...]:
    """The graph's nodes that compute the base's linear layers. `widths`: each layer's inputs and outputs, by its path.

    JobError: a layer of the base has no node, so that its update could not be served, or one of another precision.
    """
    linear = [node for node in model.graph.node if _is_linear(node)]
    if other := [node for node in linear if node.op_type != _KINDS[precision]]:
        found_kind, kind = other[0].op_type, _KINDS[precision]
        raise JobError(f"the builder's graph computes {other[0].name} by {found_kind}, expected {kind} in {precision}")
    found = [_target(_LINEAR.fullmatch(node.name), widths) for node in linear]
    covered = {path for target in found for path, _ in target.parts}
    if lacking := sorted(set(widths) - covered):
        raise JobError(f"the builder's graph computes {lacking[0]} in a way that takes no updates")
    return tuple(found)


def add_update_paths(model: Any, form: DecoderForm) -> None:
    """Every target takes updates; the graph says which, in its metadata."""
    targets = {target.name: target for target in form.targets}
    nodes: list[Any] = []
    for node in model.graph.node:
        nodes.append(node)
        if _is_linear(node):
            nodes += _update_path(node, targets[_name(_LINEAR.fullmatch(node.name))])
    _replace_nodes(model, nodes)
    inputs = [_value(SLOTS, _INT64, ["batch_size"])]
    for target in form.targets:
        inputs.append(_value(f"{target.name}.{LORA_A}", _FLOAT, ["slots", target.inputs, f"{target.name}.r"]))
        inputs.append(_value(f"{target.name}.{LORA_B}", _FLOAT, ["slots", f"{target.name}.r", target.outputs]))
    model.graph.input.extend(inputs)
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, form.dump()


def choose_places(model: Any, vocabulary: int) -> None:
    """Logits at chosen places only: the output layer costs as much for a prompt's tokens, which nobody asks for."""
    nodes: list[Any] = []
    for node in model.graph.node:
        if _HEAD.fullmatch(node.name):
            states, chosen = node.input[0], f"{node.input[0]}/chosen"
            nodes.append(onnx.helper.make_node("GatherND", [states, PLACES], [chosen], name="/lm_head/Choose"))
            node.input[0] = chosen
        nodes.append(node)
    if len(nodes) == len(model.graph.node):
        raise JobError("the builder's graph has no output layer of the name /lm_head/MatMul")
    _replace_nodes(model, nodes)
    model.graph.input.append(_value(PLACES, _INT64, ["places", 2]))
    del model.graph.value_info[:]
    output = next(output for output in model.graph.output if output.name == LOGITS)
    output.CopyFrom(_value(LOGITS, _FLOAT, ["places", vocabulary]))


def _is_linear(node: Any) -> bool:
    return node.op_type in _KINDS.values() and _LINEAR.fullmatch(node.name) is not None


def _name(match: "re.Match[str] | None") -> str:
    assert match is not None
    layer, block, linear = match.groups()
    return f"model.layers.{layer}.{_BLOCKS[block]}.{linear}"


def _target(match: "re.Match[str] | None", widths: Mapping[str, tuple[int, int]]) -> Target:
    name = _name(match)
    inside, _, linear = name.rpartition(".")
    paths = [f"{inside}.{part}" for part in _PACKED.get(linear, (linear,))]
    if unknown := [path for path in paths if path not in widths]:
        raise JobError(f"the builder's graph computes {unknown[0]}, which is no linear layer of the base")
    return Target(name, widths[paths[0]][0], tuple((path, widths[path][1]) for path in paths))


def _update_path(node: Any, target: Target) -> list[Any]:
    states, answer, at = node.input[0], node.output[0], f"{node.name}/update"
    node.output[0] = f"{answer}/base"
    make = onnx.helper.make_node
    return [
        make("Gather", [f"{target.name}.{LORA_A}", SLOTS], [f"{at}/a"], name=f"{at}/GatherA", axis=0),
        make("Gather", [f"{target.name}.{LORA_B}", SLOTS], [f"{at}/b"], name=f"{at}/GatherB", axis=0),
        make("MatMul", [states, f"{at}/a"], [f"{at}/narrow"], name=f"{at}/MatMulA"),
        make("MatMul", [f"{at}/narrow", f"{at}/b"], [f"{at}/wide"], name=f"{at}/MatMulB"),
        make("Add", [node.output[0], f"{at}/wide"], [answer], name=f"{at}/Add"),
    ]


def _replace_nodes(model: Any, nodes: Sequence[Any]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _value(name: str, kind: int, shape: list[str | int]) -> Any:
    return onnx.helper.make_tensor_value_info(name, kind, shape)
