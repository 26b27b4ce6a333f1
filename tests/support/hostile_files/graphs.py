"""ONNX: graphs, and adapters of the served graph."""

from collections.abc import Callable, Iterator
from pathlib import Path

import onnx

from tests.support.hostile_files.hostile import Hostile, pickled, written
from tests.support.hostile_loaders import write_graph


def outside(location: str) -> onnx.TensorProto:
    made = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[8], data_location=1)
    for key, value in (("location", location), ("length", "32")):
        entry = made.external_data.add()
        entry.key, entry.value = key, value
    return made


def with_tensor(made: onnx.TensorProto, *nodes: onnx.NodeProto) -> Callable[[Path], Path]:
    return lambda folder: write_graph(folder / "graph.onnx", *nodes, tensors=(made,))


def with_neighbour(folder: Path) -> Path:
    (folder / "neighbour").write_bytes(b"\1" * 64)
    return write_graph(folder / "graph.onnx", tensors=(outside("neighbour"),))


def truncated_graph(folder: Path) -> Path:
    path = write_graph(folder / "graph.onnx")
    path.write_bytes(path.read_bytes()[:-20])
    return path


def nested_graph(folder: Path) -> Path:
    """Length-delimited fields, each inside the one before: graph, node, attribute, graph, …"""
    data = b""
    for number in range(400):
        data = bytes([(7, 1, 5, 6)[-number % 4] << 3 | 2]) + varint(len(data)) + data
    return written("graph.onnx", b"\x3a" + varint(len(data)) + data)(folder)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def graphs() -> Iterator[Hostile]:
    h, t = onnx.helper, onnx.TensorProto
    ends = "another file"
    yield Hostile("nothing", written("graph.onnx", b""), "expected 1 to")
    yield Hostile("a pickle", written("graph.onnx", pickled), "no ONNX file")
    yield Hostile("noise", written("graph.onnx", bytes(range(256)) * 64), "no ONNX file")
    yield Hostile("truncated", truncated_graph, "no ONNX file|cannot be loaded")
    yield Hostile("nested 400 deep", nested_graph, "no ONNX file|cannot be loaded")
    yield Hostile("data in /etc/passwd", with_tensor(outside("/etc/passwd")), ends)
    yield Hostile("data in ../../etc/passwd", with_tensor(outside("../" * 12 + "etc/passwd")), ends)
    yield Hostile("data in its neighbour", with_neighbour, ends)
    constant = h.make_node("Constant", [], ["c"], value=outside("/etc/passwd"))
    yield Hostile("data of an attribute", lambda folder: write_graph(folder / "graph.onnx", constant), ends)
    used = h.make_node("Identity", ["w"], ["y"])
    absurd = t(name="w", data_type=t.FLOAT, dims=[2**40], raw_data=b"1234")
    yield Hostile("2^40 elements", with_tensor(absurd, used), "cannot be loaded")
    negative = t(name="w", data_type=t.FLOAT, dims=[-1], raw_data=b"1234")
    yield Hostile("a negative shape", with_tensor(negative, used), "cannot be loaded")
    evil = h.make_node("Evil", ["head"], ["y"], domain="com.evil")
    yield Hostile("an operator of their own", lambda folder: write_graph(folder / "graph.onnx", evil), "Evil")
    vast = h.make_node("ConstantOfShape", ["vast"], ["z"])
    size = h.make_tensor("vast", t.INT64, [1], [2**36])
    yield Hostile("256 GiB when it runs", with_tensor(size, vast), "cannot answer")


def onnx_adapters() -> Iterator[Hostile]:
    for name, data in {"nothing": b"", "a pickle": pickled, "noise": bytes(range(256)) * 64}.items():
        yield Hostile(name, written("x.onnx_adapter", data), "no adapter file of ONNX Runtime")
