"""Every way by which a file from elsewhere comes into a worker or a gateway, each as a function of its path."""

from pathlib import Path

import numpy as np
import onnx
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from tests.support.builders.datasets import part
from tests.support.builders.graphs import head_graph, write_onnx_adapter
from tests.support.builders.specs import curate_spec, source_at
from tests.support.builders.stored import PARQUET, store_parts
from workers.adapters.files import read_adapter
from workers.base.loading import load_base
from workers.base.tokenizer import TextTokenizer
from workers.curate import handler as curating
from workers.data.manifest import read_split
from workers.graph.session import GraphSession
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
    session.load("1", write_onnx_adapter(Path(path).parent / "good.onnx_adapter", head=np.zeros((2, 2))))
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
    rows = part("train", 1, store.put_file(Path(path), PARQUET))
    read_split(store, store_parts(store, [rows]), "train")


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
    curating.handle(curate_spec(source_at(Path(path))), context)


# --- what is good around the file that is not -------------------------------------------------------------------------


def write_tokenizer(path: Path) -> Path:
    Tokenizer(WordLevel({"[UNK]": 0, "one": 1}, unk_token="[UNK]")).save(str(path))
    return path


def write_graph(path: Path, *changes: onnx.NodeProto, tensors: tuple[onnx.TensorProto, ...] = ()) -> Path:
    """logits = head[input_ids] summed; `changes` and `tensors` are added to it."""
    make = onnx.helper.make_node
    nodes = [
        make("Gather", ["head", "input_ids"], ["states"]),
        make("ReduceSum", ["states", "axis"], ["logits"], keepdims=0),
        *changes,
    ]
    constants = {"head": np.zeros((2, 2), np.float32), "axis": np.array([1])}
    outputs = tuple(name for node in changes for name in node.output)
    made = head_graph(nodes, constants, tensors=tensors, outputs=outputs, domains=("com.evil",))
    path.write_bytes(made.SerializeToString())
    return path
