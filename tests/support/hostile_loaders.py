"""Every way by which a file from elsewhere comes into a worker or a gateway, each as a function of its path."""

from pathlib import Path
from uuid import UUID

import numpy as np
import onnx
import onnxruntime as ort
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from schemas.artifacts import DatasetManifest, DatasetPart, DatasetRef
from schemas.jobs.curate import CurateSpec, Source
from workers.curate import handler as curating
from workers.model.adapter import read_adapter
from workers.model.base import load_base
from workers.model.dataset import read_split
from workers.model.session import GraphSession
from workers.model.tokenize import TextTokenizer
from workers.runtime.artifacts import ArtifactStore
from workers.runtime.context import Context
from workers.runtime.files import publish_folder
from workers.runtime.sources import Sources
from workers.runtime.unpack import unpack
from workers.train.checkpoint import TrainingState, restore_state


def adapter(path: str) -> None:
    read_adapter(Path(path))


def graph(path: str) -> None:
    """As a gateway and an evaluation open it: loaded, then asked for one row."""
    session = GraphSession(Path(path), write_tokenizer(Path(path).parent / "good.json"), 16)
    session.load("1", write_onnx_adapter(Path(path).parent / "good.onnx_adapter"))
    session.logits(["one row"], "1")


def onnx_adapter(path: str) -> None:
    folder = Path(path).parent
    GraphSession(write_graph(folder / "good.onnx"), write_tokenizer(folder / "good.json"), 16).load("1", Path(path))


def tokenizer(path: str) -> None:
    TextTokenizer(Path(path), 16).encode(["one row"])


def base(path: str) -> None:
    load_base(Path(path))


def checkpoint(path: str) -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    restore_state(TrainingState({"w": parameter}, torch.optim.AdamW([parameter])), Path(path))


def archive(path: str) -> None:
    """As a pypi:// source does it: under its name only once all is there."""
    with publish_folder(Path(path).parent / "unpacked") as target:
        unpack(Path(path), "", target)


def dataset(path: str) -> None:
    """A dataset version whose part is this file."""
    store = ArtifactStore((Path(path).parent / "store").as_uri(), Path(path).parent / "cache")
    part = DatasetPart(split="train", rows=1, artifact=store.put_file(Path(path), "application/vnd.apache.parquet"))
    digest = "sha256:" + "0" * 64
    manifest = DatasetManifest(digest=digest, columns={}, labels=("a", "b"), parts=(part,), operators=())
    ref = store.put_bytes(manifest.model_dump_json().encode(), "application/json")
    read_split(store, DatasetRef(id=UUID(int=1), dataset="d", version=1, digest=digest, manifest=ref), "train")


def rows(path: str) -> None:
    """A source of a curation."""
    folder = Path(path).parent
    (folder / "work").mkdir()
    context = Context(
        ArtifactStore((folder / "store").as_uri(), folder / "cache"),
        Sources(folder / "cache", [folder]),
        folder / "work",
        lambda _: None,
    )
    source = Source(uri=Path(path).as_uri())
    curating.handle(CurateSpec(dataset="d", sources=(source,)), context)


# --- what is good around the file that is not -------------------------------------------------------------------------


def write_tokenizer(path: Path) -> Path:
    Tokenizer(WordLevel({"[UNK]": 0, "one": 1}, unk_token="[UNK]")).save(str(path))
    return path


def write_graph(path: Path, *changes: onnx.NodeProto, tensors: tuple[onnx.TensorProto, ...] = ()) -> Path:
    """logits = head[input_ids] summed; `changes` and `tensors` are added to it."""
    h, t = onnx.helper, onnx.TensorProto
    nodes = [
        h.make_node("Gather", ["head", "input_ids"], ["states"]),
        h.make_node("ReduceSum", ["states", "axis"], ["logits"], keepdims=0),
        *changes,
    ]
    inputs = [
        h.make_tensor_value_info("input_ids", t.INT64, ["n", "s"]),
        h.make_tensor_value_info("attention_mask", t.INT64, ["n", "s"]),
        h.make_tensor_value_info("head", t.FLOAT, ["v", "l"]),
    ]
    initializers = [
        onnx.numpy_helper.from_array(np.zeros((2, 2), np.float32), "head"),
        onnx.numpy_helper.from_array(np.array([1], np.int64), "axis"),
        *tensors,
    ]
    outputs = [h.make_tensor_value_info("logits", t.FLOAT, ["n", "l"])]
    outputs += [h.make_tensor_value_info(name, t.FLOAT, None) for node in changes for name in node.output]
    made = h.make_graph(nodes, "hostile", inputs, outputs, initializers)
    opsets = [h.make_opsetid("", 18), h.make_opsetid("com.evil", 1)]
    path.write_bytes(h.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString())
    return path


def write_onnx_adapter(path: Path) -> Path:
    head = np.zeros((2, 2), np.float32)  # the file aliases it until it is written
    file = ort.AdapterFormat()
    file.set_adapter_version(1)
    file.set_model_version(1)
    file.set_parameters({"head": ort.OrtValue.ortvalue_from_numpy(head)})
    file.export_adapter(str(path))
    return path
