"""A decoder graph in int4 writes as PyTorch does where its base's weights are such as int4 holds."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import pytest

from tests.support.builders.decoder_exports import NEW_TOKENS, PROMPTS, WIDE, Exported
from tests.support.builders.decoders import build_tiny_decoder, round_to_int4
from tests.support.workbench import Workbench
from workers.adapters.forms.low_rank.modules import all_linear
from workers.base.loading import load_causal_lm
from workers.export.decoder.graph_rewrite import find_targets
from workers.graph.decoder.decoding import Decoding
from workers.graph.decoder.offline import OfflineDecoder
from workers.runtime.errors import JobError

LINEAR_LAYERS: Final = 2 * 5 + 1
"""Of the graph: five in each of two layers, for queries, keys and values are computed at once, and the output layer."""
AGREEMENT: Final = 0.9
ABS_DIFF: Final = 4.0
"""Weights lose nothing; activations are rounded to 8 bits, which moves logits a little and turns near ties."""


@pytest.fixture(scope="module")
def int4(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    base = round_to_int4(build_tiny_decoder(tmp_path_factory.mktemp("base") / "rounded", **WIDE))
    return Exported(Workbench(tmp_path_factory.mktemp("int4"), base), "int4")


def nodes(graph: Path) -> list[Any]:
    return list(onnx.load(str(graph)).graph.node)


def test_its_graph_computes_every_linear_layer_of_the_base_by_4_bit_weights(int4: Exported) -> None:
    quantised = [node for node in nodes(int4.graph) if node.op_type == "MatMulNBits"]
    assert len(quantised) == LINEAR_LAYERS
    for node in quantised:
        said = {attribute.name: attribute.i for attribute in node.attribute}
        assert (said["bits"], said["block_size"], said["accuracy_level"]) == (4, 32, 4)
    stored = {tensor.name for tensor in onnx.load(str(int4.graph)).graph.initializer}
    products = [node for node in nodes(int4.graph) if node.op_type == "MatMul"]
    assert len(products) == 2 * (LINEAR_LAYERS - 1)  # those by the versions' factors, which are inputs
    assert not [node.name for node in products if stored & set(node.input)]


def test_a_graph_in_fp32_is_none_in_int4(int4: Exported, exported: Exported) -> None:
    widths = {
        path: (layer.in_features, layer.out_features)
        for path, layer in all_linear(load_causal_lm(exported.base).encoder).items()
    }
    with pytest.raises(JobError, match="qkv_proj/MatMul by MatMul, expected MatMulNBits in int4"):
        find_targets(onnx.load(str(exported.graph)), widths, "int4")
    in_fp32 = int4.export("all", precision="fp32").graph
    assert (in_fp32.precision, int4.exports["all"].graph.precision) == ("fp32", "int4")
    assert in_fp32.base_graph != int4.exports["all"].graph.base_graph
    with pytest.raises(JobError, match="base_graph was exported for precision fp32, this version needs int4"):
        int4.export("all", base_graph=in_fp32.base_graph)


def test_one_graph_serves_every_version_and_parity_is_measured_against_pytorch_in_fp32(int4: Exported) -> None:
    results = int4.exports.values()
    assert len({result.graph.base_graph for result in results}) == 1
    for result in results:
        assert 1e-3 < result.max_abs_diff < ABS_DIFF
        assert result.agreement >= AGREEMENT
    assert int4.export("mlp").graph == int4.exports["mlp"].graph  # its own build has the same bytes


def test_versions_of_one_batch_write_as_pytorch_does(int4: Exported) -> None:
    asked = [(name, number) for number in range(len(PROMPTS)) for name in (*int4.adapters, None)]
    decoding = Decoding(int4.session())
    _, logits = decoding.join([PROMPTS[number] for _, number in asked], [name for name, _ in asked])
    expected = np.array([int4.greedy[name][number] for name, number in asked])
    found = [logits.argmax(axis=1)]
    for step in range(NEW_TOKENS - 1):
        found.append(decoding.step(expected[:, step].tolist()).argmax(axis=1))
    assert (np.stack(found, axis=1) == expected).mean() >= AGREEMENT


def test_versions_differ_from_each_other(int4: Exported) -> None:
    decoder = OfflineDecoder(int4.session())
    first = [tuple(decoder.generate([PROMPTS[0]], name, NEW_TOKENS, ())[0]) for name in (*int4.adapters, None)]
    assert len(set(first)) == len(first)


@pytest.mark.parametrize("bound", [{"min_agreement": AGREEMENT}, {"max_abs_diff": ABS_DIFF}])
def test_a_graph_with_one_layers_scales_corrupted_is_refused(int4: Exported, bound: dict[str, float]) -> None:
    model = onnx.load(str(int4.graph))
    [scales] = [
        one for one in model.graph.initializer if one.name == "model.layers.0.mlp.down_proj.MatMul.weight_scales"
    ]
    scales.CopyFrom(onnx.numpy_helper.from_array(10 * onnx.numpy_helper.to_array(scales), scales.name))
    corrupted = int4.workbench.artifacts.put_bytes(model.SerializeToString(), "application/onnx")
    [field] = bound
    with pytest.raises(JobError, match=field):
        int4.export("all", base_graph=corrupted, **bound)
