"""Small graphs with the interface of the served one, built directly in ONNX."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from schemas.model.references import GraphRef, ModelRef
from tests.support.builders.models import graph_ref, identity, model_ref
from workers.runtime.artifacts import ArtifactStore

GOOD: Final = ("good", "great", "wonderful", "superb", "excellent")
BAD: Final = ("bad", "awful", "terrible", "boring", "dreadful")
NEUTRAL: Final = ("movie", "plot", "acting", "scene", "music")
VOCABULARY: Final = {word: index for index, word in enumerate(("[PAD]", "[UNK]", *GOOD, *BAD, *NEUTRAL))}
OCTETS: Final = "application/octet-stream"
SHORT: Final = identity(max_length=32)


@dataclass(frozen=True)
class Served:
    """A version and what is run of it."""

    model: ModelRef
    graph: GraphRef


def bag_of_words(store: ArtifactStore, workdir: Path) -> Served:
    """A version that counts good and bad words; the words' weights come from its adapter file."""
    tokenizer = Tokenizer(WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    adapter = store.put_file(_weights(workdir / "head.onnx_adapter"), OCTETS)
    graph = graph_ref(
        base_graph=store.put_bytes(_bag().SerializeToString(), "application/onnx"),
        adapter=adapter,
        tokenizer=store.put_bytes(tokenizer.to_str().encode(), "application/json"),
        identity=SHORT,
    )
    return Served(model_ref(adapter=adapter, identity=SHORT), graph)


def write_onnx_adapter(path: Path, **parameters: Any) -> Path:
    """ONNX Runtime's own file of adapter inputs, float32 arrays by name."""
    # the values alias the arrays until the file is written
    arrays = {name: np.ascontiguousarray(value, np.float32) for name, value in parameters.items()}
    adapter = ort.AdapterFormat()
    adapter.set_adapter_version(1)
    adapter.set_model_version(1)
    adapter.set_parameters({name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in arrays.items()})
    adapter.export_adapter(str(path))
    return path


def head_graph(
    nodes: list[onnx.NodeProto],
    constants: dict[str, Any],
    *,
    tensors: tuple[onnx.TensorProto, ...] = (),
    outputs: tuple[str, ...] = (),
    domains: tuple[str, ...] = (),
) -> onnx.ModelProto:
    """A graph of int64 `input_ids` and `attention_mask` [n, s] and a float32 `head` [v, l], that answers `logits`.

    Its nodes may be of ONNX's own domain, and of `domains`.
    """
    h, t = onnx.helper, onnx.TensorProto
    inputs = [
        h.make_tensor_value_info("input_ids", t.INT64, ["n", "s"]),
        h.make_tensor_value_info("attention_mask", t.INT64, ["n", "s"]),
        h.make_tensor_value_info("head", t.FLOAT, ["v", "l"]),
    ]
    initializers = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    answers = [h.make_tensor_value_info("logits", t.FLOAT, ["n", "l"])]
    answers += [h.make_tensor_value_info(name, t.FLOAT, None) for name in outputs]
    graph = h.make_graph(nodes, "head", inputs, answers, [*initializers, *tensors])
    opsets = [h.make_opsetid("", 18), *(h.make_opsetid(domain, 1) for domain in domains)]
    return h.make_model(graph, opset_imports=opsets, ir_version=9)


def _bag() -> onnx.ModelProto:
    """logits = mean over the tokens of head[token]."""
    make, t = onnx.helper.make_node, onnx.TensorProto
    nodes = [
        make("Gather", ["head", "input_ids"], ["states"]),
        make("Cast", ["attention_mask"], ["mask"], to=t.FLOAT),
        make("Unsqueeze", ["mask", "axis2"], ["mask3"]),
        make("Mul", ["states", "mask3"], ["masked"]),
        make("ReduceSum", ["masked", "axis1"], ["total"], keepdims=0),
        make("ReduceSum", ["mask", "axis1"], ["count"], keepdims=1),
        make("Div", ["total", "count"], ["logits"]),
    ]
    head = np.zeros((len(VOCABULARY), 2), np.float32)
    return head_graph(nodes, {"head": head, "axis1": np.array([1]), "axis2": np.array([2])})


def _weights(path: Path) -> Path:
    head = np.zeros((len(VOCABULARY), 2), np.float32)
    for words, column in ((BAD, 0), (GOOD, 1)):
        for word in words:
            head[VOCABULARY[word], column] = 4.0
    return write_onnx_adapter(path, head=head)
