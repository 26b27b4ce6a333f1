"""Tokenizers and whole base models."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.hostile_files.hostile import MIB, Hostile, pickled, written


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
