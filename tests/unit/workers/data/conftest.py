"""A tiny served graph, built directly in ONNX, and a context whose reports a test can read."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
import onnx
import onnxruntime as ort
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from schemas.artifacts import DatasetManifest, DatasetPart, DatasetRef, GraphRef, ModelRef
from schemas.claims import Checkpoint
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context, Report
from workers.runtime.sources import Sources

NAMESPACE = UUID("9d4ff1c2-0f0e-4d0e-9a53-6c0c9b5f2a10")
LABELS = ("negative", "positive")
GOOD = ("good", "great", "wonderful", "superb", "excellent")
BAD = ("bad", "awful", "terrible", "boring", "dreadful")
NEUTRAL = ("movie", "plot", "acting", "scene", "music")


@dataclass
class Bench:
    """Everything that a handler needs, and what it reported."""

    root: Path
    context: Context
    reports: list[Report] = field(default_factory=list)

    def write(self, name: str, content: str | bytes) -> str:
        path = self.root / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path.as_uri()

    def jsonl(self, name: str, rows: Sequence[Mapping[str, object]]) -> str:
        return self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    @property
    def store(self) -> ArtifactStore:
        return self.context.artifacts


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path)


def make_bench(root: Path, checkpoint: Checkpoint | None = None) -> Bench:
    files, workdir = root / "files", root / "work"
    files.mkdir(parents=True, exist_ok=True)
    workdir.mkdir(exist_ok=True)
    reports: list[Report] = []
    store = ArtifactStore((root / "store").as_uri(), root / "cache")
    context = Context(store, Sources(root / "cache", [files]), workdir, reports.append, checkpoint)
    return Bench(root, context, reports)


@pytest.fixture
def save_dataset() -> Callable[[ArtifactStore, Mapping[str, Sequence[tuple[str, str]]]], DatasetRef]:
    return make_dataset


def make_dataset(store: ArtifactStore, splits: Mapping[str, Sequence[tuple[str, str]]]) -> DatasetRef:
    parts = []
    for split, rows in splits.items():
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"text": [row[0] for row in rows], "label": [row[1] for row in rows]}), sink)
        ref = store.put_bytes(sink.getvalue().to_pybytes(), "application/vnd.apache.parquet")
        parts.append(DatasetPart(split=split, rows=len(rows), artifact=ref))
    manifest = DatasetManifest(
        digest="sha256:" + "0" * 64,
        columns={"text": "string", "label": "string"},
        labels=LABELS,
        parts=tuple(parts),
        operators=(),
    )
    ref = store.put_bytes(manifest.model_dump_json().encode(), "application/json")
    return DatasetRef(
        id=uuid5(NAMESPACE, ref.digest), dataset="reviews", version=1, digest=manifest.digest, manifest=ref
    )


@dataclass(frozen=True)
class Served:
    model: ModelRef
    graph: GraphRef


@pytest.fixture
def serve() -> Callable[[ArtifactStore, Path], Served]:
    return make_served


def make_served(store: ArtifactStore, workdir: Path) -> Served:
    """A bag of words with the interface of the served graph: the head comes from an adapter file."""
    base = store.put_bytes(_graph().SerializeToString(), "application/onnx")
    tokenizer = store.put_bytes(_tokenizer().to_str().encode(), "application/json")
    adapter = store.put_file(_adapter(workdir / "head.onnx_adapter"), "application/octet-stream")
    digest = "sha256:" + "1" * 64
    common = {"base_digest": digest, "feature_recipe": "mid-last-mean-v1", "labels": LABELS, "max_length": 32}
    graph = GraphRef(base_graph=base, adapter=adapter, tokenizer=tokenizer, target_modules=("query",), **common)
    model = ModelRef(
        id=uuid5(NAMESPACE, "model"),
        model="sentiment",
        version=1,
        adapter=adapter,
        base_model="file:///base",
        head_digest=digest,
        **common,
    )
    return Served(model, graph)


def _vocabulary() -> dict[str, int]:
    return {word: index for index, word in enumerate(("[PAD]", "[UNK]", *GOOD, *BAD, *NEUTRAL))}


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(WordLevel(_vocabulary(), unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


def _graph() -> onnx.ModelProto:
    """logits = mean over the tokens of head[token]."""
    h, t = onnx.helper, onnx.TensorProto
    size = len(_vocabulary())
    nodes = [
        h.make_node("Gather", ["head", "input_ids"], ["states"]),
        h.make_node("Cast", ["attention_mask"], ["mask"], to=t.FLOAT),
        h.make_node("Unsqueeze", ["mask", "axis2"], ["mask3"]),
        h.make_node("Mul", ["states", "mask3"], ["masked"]),
        h.make_node("ReduceSum", ["masked", "axis1"], ["total"], keepdims=0),
        h.make_node("ReduceSum", ["mask", "axis1"], ["count"], keepdims=1),
        h.make_node("Div", ["total", "count"], ["logits"]),
    ]
    inputs = [
        h.make_tensor_value_info("input_ids", t.INT64, ["n", "s"]),
        h.make_tensor_value_info("attention_mask", t.INT64, ["n", "s"]),
        h.make_tensor_value_info("head", t.FLOAT, ["vocabulary", "labels"]),
    ]
    initializers = [
        onnx.numpy_helper.from_array(np.zeros((size, 2), np.float32), "head"),
        onnx.numpy_helper.from_array(np.array([1], np.int64), "axis1"),
        onnx.numpy_helper.from_array(np.array([2], np.int64), "axis2"),
    ]
    outputs = [h.make_tensor_value_info("logits", t.FLOAT, ["n", "labels"])]
    graph = h.make_graph(nodes, "bag", inputs, outputs, initializers)
    return h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)


def _adapter(path: Path) -> Path:
    head = np.zeros((len(_vocabulary()), 2), np.float32)
    for words, column in ((BAD, 0), (GOOD, 1)):
        for word in words:
            head[_vocabulary()[word], column] = 4.0
    value = ort.OrtValue.ortvalue_from_numpy(head)
    adapter = ort.AdapterFormat()
    adapter.set_adapter_version(1)
    adapter.set_model_version(1)
    adapter.set_parameters({"head": value})
    adapter.export_adapter(str(path))
    return path
