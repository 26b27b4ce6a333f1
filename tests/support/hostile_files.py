"""Files that somebody made to break whoever reads them, by the loader that is to refuse them."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from tests.support.hostile_loaders import write_graph

MIB = 1 << 20
METADATA = {
    "base_digest": "sha256:" + "1" * 64,
    "feature_recipe": "mid-last-mean-v1",
    "r": 0,
    "lora_alpha": 16,
    "use_rslora": False,
    "target_modules": ["query"],
    "labels": ["no", "yes"],
    "max_length": 16,
}


class Bomb:
    """Unpickling it leaves a file behind."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


@dataclass(frozen=True)
class Hostile:
    """A file that `make` writes into a folder, and the words that its refusal must hold."""

    name: str
    make: Callable[[Path], Path]
    words: str


def pickled(folder: Path) -> bytes:
    return pickle.dumps(Bomb(folder / "unpickled"))


def written(name: str, data: bytes | Callable[[Path], bytes]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data(folder) if callable(data) else data)
        return path

    return make


# --- safetensors ------------------------------------------------------------------------------------------------------


def safetensors(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def good_adapter(weight: Any = None, **metadata: object) -> bytes:
    tensors = {
        "head.weight": np.zeros((2, 4), np.float32) if weight is None else weight,
        "head.bias": np.zeros(2, np.float32),
    }
    data: bytes = save(tensors, metadata={"graftwork.adapter.v1": json.dumps({**METADATA, **metadata})})
    return data


OURS = {"graftwork.adapter.v1": json.dumps(METADATA)}
NAN = np.full((2, 4), np.nan, np.float32)
SAFETENSORS: dict[str, bytes | Callable[[Path], bytes]] = {
    "nothing": b"",
    "a pickle": pickled,
    "truncated": good_adapter()[:-5],
    "a header of 2^63 bytes": safetensors({}, length=2**63),
    "a header of 2^64-1 bytes": safetensors({}, length=2**64 - 1),
    "a header longer than the file": safetensors({"w": tensor([1], [0, 4])}, b"0000", length=10**9),
    "a giant header": safetensors(b'{"__metadata__":{"x":"' + b"x" * (101 * MIB) + b'"}}'),
    "a deep header": safetensors(b"[" * 100_000 + b"]" * 100_000),
    "2^40 elements": safetensors({"__metadata__": OURS, "w": tensor([2**20, 2**20], [0, 4])}, b"0000"),
    "a size that overflows": safetensors({"__metadata__": OURS, "w": tensor([2**62, 4, 2**62], [0, 4])}, b"0000"),
    "negative offsets": safetensors({"w": tensor([1], [-4, 0])}, b"0000"),
    "overlapping offsets": safetensors({"a": tensor([2], [0, 8]), "b": tensor([2], [4, 12])}, b"0" * 12),
    "offsets outside the file": safetensors({"a": tensor([2], [0, 8])}, b"0" * 4),
    "an unknown type": safetensors({"a": tensor([1], [0, 4], "EVIL")}, b"0" * 4),
    "another type": good_adapter(np.zeros((2, 4), np.int64)),
    "NaN": good_adapter(NAN),
    "infinity": good_adapter(np.full((2, 4), np.inf, np.float32)),
    "a rank of 10^12": good_adapter(r=10**12),
    "an alpha that is no number": good_adapter(lora_alpha=float("nan")),
    "a length of 10^12": good_adapter(max_length=10**12),
    "no labels": good_adapter(labels=[]),
    "invalid UTF-8": safetensors(b'{"\xff\xfe": 1}'),
}


def adapters() -> Iterator[Hostile]:
    for name, data in SAFETENSORS.items():
        yield Hostile(name, written("adapter.safetensors", data), "not an adapter file of ours")


def checkpoints() -> Iterator[Hostile]:
    for name in ("nothing", "a pickle", "truncated", "2^40 elements", "overlapping offsets", "NaN"):
        yield Hostile(name, written("checkpoint", SAFETENSORS[name]), "does not fit this job")
    odd = save({"x": np.zeros(1, np.float32)}, metadata={"graftwork.checkpoint.v1": '{"step": "many"}'})
    yield Hostile("a step that is no number", written("checkpoint", odd), "does not fit this job")
    listed = save({"x": np.zeros(1, np.float32)}, metadata={"graftwork.checkpoint.v1": "[]"})
    yield Hostile("a state that is a list", written("checkpoint", listed), "does not fit this job")


# --- ONNX -------------------------------------------------------------------------------------------------------------


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


# --- tokenizer.json ---------------------------------------------------------------------------------------------------


def tokenizers() -> Iterator[Hostile]:
    absurd = {"version": "1.0", "model": {"type": "WordLevel", "vocab": {"a": -1}, "unk_token": "?"}}
    files: dict[str, bytes | Callable[[Path], bytes]] = {
        "nothing": b"",
        "a pickle": pickled,
        "a list": b"[]",
        "deep": b'{"model":' * 100_000,
        "absurd ids": json.dumps(absurd).encode(),
        "an id of 2^70": b'{"version":"1.0","model":{"type":"WordLevel","vocab":{"a":' + str(2**70).encode() + b"}}}",
        "an unknown model": b'{"version":"1.0","model":{"type":"Evil"}}',
        "invalid UTF-8": b'{"model": "\xff"}',
        "UTF-16": '{"model": 1}'.encode("utf-16"),
    }
    for name, data in files.items():
        yield Hostile(name, written("tokenizer.json", data), "is no tokenizer.json")

    def giant(folder: Path) -> Path:
        path = folder / "tokenizer.json"
        with path.open("wb") as file:
            file.truncate(257 * MIB)
        return path

    yield Hostile("giant", giant, "expected at most")


# --- bases ------------------------------------------------------------------------------------------------------------


def bases(good: Path) -> Iterator[Hostile]:
    """Copies of a good base's folder, each with one thing changed."""
    config = json.loads((good / "config.json").read_bytes())

    def folder_with(files: dict[str, bytes | Callable[[Path], bytes] | None]) -> Callable[[Path], Path]:
        def make(folder: Path) -> Path:
            target = folder / "base"
            target.mkdir()
            for file in good.iterdir():
                (target / file.name).write_bytes(file.read_bytes())
            for name, data in files.items():
                (target / name).unlink(missing_ok=True)
                if data is not None:
                    written(name, data(folder) if callable(data) else data)(target)
            return target

        return make

    def configured(name: str, words: str, **change: object) -> Hostile:
        return Hostile(name, folder_with({"config.json": json.dumps({**config, **change}).encode()}), words)

    weights = "model.safetensors"
    index = {"weight_map": {"embeddings.weight": "../../../etc/passwd"}}
    yield configured("hidden states of 2^40", "hidden_size 1099511627776, which no model has", hidden_size=2**40)
    yield configured("10 million layers", "num_hidden_layers 10000000, which no model has", num_hidden_layers=10**7)
    yield configured("code of its own", "auto_map, which is never followed", auto_map={"AutoModel": "evil.Model"})
    yield configured("a package to import", "quantization_config", quantization_config={"quant_method": "bitsandbytes"})
    yield configured("an unknown kind", "cannot be loaded", model_type="evil")
    yield configured("sizes that do not fit", "cannot be loaded", vocab_size=10**6)
    yield configured("a size that is a text", "cannot be loaded", hidden_size="big")
    yield Hostile("a list", folder_with({"config.json": b"[1]"}), "must hold a JSON object")
    yield Hostile("no JSON", folder_with({"config.json": b"{"}), "is no JSON")
    yield Hostile("deep", folder_with({"config.json": b'{"a":' * 50_000}), "is no JSON")
    yield Hostile("a giant configuration", folder_with({"config.json": b" " * (2 * MIB)}), "expected at most")
    yield Hostile("pickled weights", folder_with({weights: pickled}), "cannot be loaded")
    yield Hostile("only pickled weights", folder_with({weights: None, "pytorch_model.bin": pickled}), "never read")
    yield Hostile("truncated weights", folder_with({weights: (good / weights).read_bytes()[:-100]}), "cannot be loaded")
    yield Hostile("an adapter", folder_with({"adapter_config.json": b"{}"}), "of an adapter")
    escaping = {"model.safetensors.index.json": json.dumps(index).encode()}
    yield Hostile("weights elsewhere", folder_with(escaping), "not in the folder")


# --- archives ---------------------------------------------------------------------------------------------------------


def tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT) as file:
        for info, data in members:
            info.size = len(data) or info.size
            file.addfile(info, io.BytesIO(data) if data else None)
    return sink.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def zipped(name: str, data: bytes, mode: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as file:
        info = zipfile.ZipInfo(name)
        info.external_attr, info.compress_type = mode << 16, method
        file.writestr(info, data)
    return sink.getvalue()


def header_bomb(kind: bytes) -> bytes:
    """A tar whose first header says that 1 GiB of name follow."""
    info = member("x", kind)
    info.size = 1 << 30
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(8 * MIB))


def sparse() -> bytes:
    """One byte, and 8 GiB of hole."""
    info = member("sparse", tarfile.GNUTYPE_SPARSE)
    info.size = 512
    block = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    fields = {386: f"{0o77777777000:011o}", 398: f"{512:011o}", 483: f"{8 << 30:011o}"}
    for at, octal in fields.items():
        block[at : at + 12] = octal.encode() + b"\0"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block) + b"x" * 512 + bytes(1024)


def zip_with_directory(size: int) -> bytes:
    """A zip that says its directory has so many bytes, and has them."""
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0)
    return b"\0" * size + end


NAMES = ("../evil", "/evil", "a/../../evil", "a\\..\\evil")
DEVICES = {
    "a symbolic link": (tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": (tarfile.LNKTYPE, "/etc/passwd"),
    "a character device": (tarfile.CHRTYPE, ""),
    "a block device": (tarfile.BLKTYPE, ""),
    "a pipe": (tarfile.FIFOTYPE, ""),
}


def archives() -> Iterator[Hostile]:
    good = tar([(member("a"), bytes(range(256)) * 400)])
    zeros = bytes(256 * MIB)
    apart = "neither a file nor a folder"
    files: dict[str, tuple[bytes, str]] = {
        "nothing": (b"", "cannot be unpacked|holds nothing"),
        "a truncated tar": (good[:-60_000], "cannot be unpacked|damaged"),
        "a truncated gzip": (gzip.compress(good)[:-200], "cannot be unpacked|damaged"),
        "a truncated xz": (lzma.compress(good)[:-200], "cannot be unpacked|damaged"),
        "a truncated zip": (zipped("a", bytes(range(256)) * 400)[:-30], "cannot be unpacked"),
        "a zip bomb": (zipped("a", zeros), "more than 200 times its size"),
        "a gzip bomb": (gzip.compress(tar([(member("a"), zeros)]), 9), "more than 200 times its size"),
        "a bzip2 bomb": (bz2.compress(tar([(member("a"), zeros)])), "more than 200 times its size"),
        "an xz bomb": (lzma.compress(tar([(member("a"), zeros)]), preset=1), "more than 200 times its size"),
        "an xz that wants 1.5 GiB": (
            lzma.compress(good, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": (1 << 30) + (1 << 29)}]),
            "(?i)memory",
        ),
        "a sparse file of 8 GiB": (sparse(), "sparse file"),
        "a name of 1 GiB": (header_bomb(tarfile.GNUTYPE_LONGNAME), "header of 1073741824 bytes"),
        "a pax header of 1 GiB": (header_bomb(tarfile.XHDTYPE), "header of 1073741824 bytes"),
        "60,000 entries": (tar([(member(str(n)), b"") for n in range(60_000)]), "more than 50000 entries"),
        "a directory of 33 MiB": (zip_with_directory(33 * MIB), "directory has"),
        "a zip member by LZMA": (zipped("a", b"x", method=zipfile.ZIP_LZMA), "neither stored nor deflated"),
        "a zip's symbolic link": (zipped("a", b"/etc/passwd", 0o120777), apart),
        "a zip's device": (zipped("a", b"", 0o060777), apart),
        "one name twice": (tar([(member("a"), b"1"), (member("a"), b"2")]), "twice"),
        "a size that is negative": (negative_size(), "of -1 bytes|cannot be unpacked"),
    }
    for name, (data, words) in files.items():
        yield Hostile(name, written("archive", data), words)
    for name in NAMES:
        yield Hostile(f"tar: {name}", written("archive", tar([(member(name), b"x")])), "leaves the archive")
        yield Hostile(f"zip: {name}", written("archive", zipped(name, b"x")), "leaves the archive")
    for name, (kind, link) in DEVICES.items():
        yield Hostile(name, written("archive", tar([(member("a", kind, link), b"")])), apart)


def negative_size() -> bytes:
    block = bytearray(member("a").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 12  # base 256, all bits set: -1
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block) + bytes(1024)


# --- rows -------------------------------------------------------------------------------------------------------------


def parquet(texts: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    labels = pa.array(["a", "b"] * (len(texts) // 2))
    pq.write_table(pa.table({"text": texts, "label": labels}), sink, compression="zstd", **options)
    return sink.getvalue()


def repeated(_: Path) -> bytes:
    """Its rows share one text of 1 MiB: 3 GB when they are written out."""
    indices = pa.array(np.zeros(3_000, np.int32))
    return parquet(pa.DictionaryArray.from_arrays(indices, pa.array(["x" * MIB])))


def damaged(data: bytes) -> bytes:
    """All of its pages are gone; its end, which lists them, is whole."""
    return data[:4] + bytes(len(data) * 3 // 4) + data[4 + len(data) * 3 // 4 :]


def never_closed() -> bytes:
    """Each line closes one quoted field and opens the next: one record as long as the file."""
    return b'text,label\n"x' + b'\n","x' * (8 * MIB // 5)


def sources() -> Iterator[Hostile]:
    line = 100 * MIB
    none = "no row was accepted"
    files: dict[str, tuple[str, bytes | Callable[[Path], bytes], str]] = {
        "a CSV line of 100 MB": ("x.csv", b"text,label\n" + b"x" * line, none),
        "a CSV header of 100 MB": ("x.csv", b"x" * line, "header line cannot be read|field text names column"),
        "a JSON line of 100 MB": ("x.jsonl", b'{"text": "' + b"x" * line + b'", "label": "a"}', none),
        "a CSV record without end": ("x.csv", never_closed(), "which no row has"),
        "a gzip that is named CSV": ("x.csv", gzip.compress(bytes(64 * MIB)), "names column|cannot be read|twice|none"),
        "a gzip by its name": ("x.csv.gz", gzip.compress(b"text,label\n"), "names no format"),
        "UTF-16": ("x.csv", "text,label\ngood,a\n".encode("utf-16"), "names column|cannot be read"),
        "UTF-16 in JSON": ("x.jsonl", '{"text":"a","label":"b"}\n'.encode("utf-16"), none),
        "NUL in every text": ("x.jsonl", b'{"text":"a\\u0000b","label":"a"}\n' * 9, none),
        "deep JSON": ("x.jsonl", b'{"text":' * 50_000 + b"\n", none),
        "a pickle": ("x.jsonl", pickled, none),
        "a pickle that is named Parquet": ("x.parquet", pickled, "cannot be read as Parquet"),
        "nothing that is named Parquet": ("x.parquet", b"", "cannot be read as Parquet"),
        "a Parquet file without its end": ("x.parquet", parquet(["good"] * 10)[:-9], "cannot be read as Parquet"),
        "a damaged Parquet file": (
            "x.parquet", damaged(parquet([os.urandom(20).hex() for _ in range(1000)])), "cannot be read as Parquet"
        ),
        "a Parquet bomb": (
            "x.parquet", parquet(["x" * (4 * MIB)] * 20, use_dictionary=False), "unpacks to"
        ),
        "one large text 3,000 times": ("x.parquet", repeated, none),
    }  # fmt: skip
    for name, (file, data, words) in files.items():
        yield Hostile(name, written(file, data), words)


def parts() -> Iterator[Hostile]:
    words = "must be Parquet with columns text and label"
    files: dict[str, bytes | Callable[[Path], bytes]] = {
        "nothing": b"",
        "a pickle": pickled,
        "truncated": parquet(["good"] * 10)[:-9],
        "damaged": damaged(parquet([os.urandom(20).hex() for _ in range(1000)])),
    }
    for name, data in files.items():
        yield Hostile(name, written("part", data), words)
