"""Whatever file somebody makes: every loader refuses it in words, with little memory, and leaves nothing behind."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders.bases import build_tiny_base
from tests.support.confined import HEADROOM, Confined
from tests.support.hostile_files import adapters, archives, bases, graphs, rows
from tests.support.hostile_files.hostile import Hostile, written

LOADERS = "tests.support.hostile_loaders"
PRELOADED = (LOADERS, "transformers.models.bert.modeling_bert")
MOST = 400 << 20
"""Bytes. Every bomb here holds more, and no honest file of these sizes needs it."""


@pytest.fixture(scope="module")
def confined() -> Iterator[Confined]:
    started = Confined(PRELOADED)
    yield started
    started.close()


@pytest.fixture(scope="module")
def good_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_base(tmp_path_factory.mktemp("bases") / "tiny")


def cases(of: Iterator[Hostile]) -> list[object]:
    return [pytest.param(hostile, id=hostile.name) for hostile in of]


def refused(confined: Confined, loader: str, hostile: Hostile, folder: Path, allowed: tuple[str, ...] = ()) -> None:
    path = hostile.make(folder)
    before = everything(folder)
    outcome = confined.run(f"{LOADERS}:{loader}", str(path), headroom=HEADROOM)
    assert outcome.job_error, f"{outcome.kind}: {outcome.words}"
    assert re.search(hostile.words, outcome.words), outcome.words
    assert outcome.grown < MOST, f"{outcome.grown >> 20} MiB"
    left = {name for name in everything(folder) - before if name.partition("/")[0] not in allowed}
    assert left == set()
    assert not (folder / "unpickled").exists(), "it was unpickled"


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("hostile", cases(adapters.adapters()))
def test_an_adapter(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "adapter", hostile, tmp_path)


@pytest.mark.parametrize("hostile", cases(adapters.checkpoints()))
def test_a_checkpoint(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "checkpoint", hostile, tmp_path)


@pytest.mark.parametrize("hostile", cases(graphs.graphs()))
def test_a_graph(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "graph", hostile, tmp_path, allowed=("good.json", "good.onnx_adapter"))


@pytest.mark.parametrize("hostile", cases(graphs.onnx_adapters()))
def test_an_adapter_of_the_served_graph(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "onnx_adapter", hostile, tmp_path, allowed=("good.json", "good.onnx"))


@pytest.mark.parametrize("hostile", cases(bases.tokenizers()))
def test_a_tokenizer(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "tokenizer", hostile, tmp_path)


def test_a_base_model(confined: Confined, good_base: Path, tmp_path: Path) -> None:
    for number, hostile in enumerate(bases.bases(good_base)):
        (tmp_path / str(number)).mkdir()
        refused(confined, "base", hostile, tmp_path / str(number))


@pytest.mark.parametrize("hostile", cases(archives.archives()))
def test_an_archive(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "archive", hostile, tmp_path)


@pytest.mark.parametrize("hostile", cases(rows.sources()))
def test_a_source_of_rows(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "rows", hostile, tmp_path, allowed=("work", "store", "cache"))


@pytest.mark.parametrize("hostile", cases(rows.parts()))
def test_a_part_of_a_dataset(confined: Confined, hostile: Hostile, tmp_path: Path) -> None:
    refused(confined, "dataset", hostile, tmp_path, allowed=("store", "cache"))


@pytest.mark.parametrize("loader", ["adapter", "graph", "onnx_adapter", "tokenizer", "base"])
def test_a_good_one_of_each_is_taken(confined: Confined, loader: str, good_base: Path, tmp_path: Path) -> None:
    """The refusals above are of what is wrong, and not of everything."""
    from tests.support import hostile_loaders as good

    path = {
        "adapter": lambda: written("adapter", adapters.good_adapter())(tmp_path),
        "graph": lambda: good.write_graph(tmp_path / "graph.onnx"),
        "onnx_adapter": lambda: good.write_onnx_adapter(tmp_path / "x.onnx_adapter", head=[[0, 0], [0, 0]]),
        "tokenizer": lambda: good.write_tokenizer(tmp_path / "tokenizer.json"),
        "base": lambda: good_base,
    }[loader]()
    outcome = confined.run(f"{LOADERS}:{loader}", str(path))
    assert (outcome.kind, outcome.words) == ("", "")


def test_a_child_that_takes_too_much_is_seen(confined: Confined, tmp_path: Path) -> None:
    """The measure measures."""
    assert confined.run("builtins:bytearray", "x" * 10).kind == "TypeError"
    outcome = confined.run("tests.unit.workers.test_hostile_artifacts:take", str(MOST + (1 << 20)))
    assert outcome.grown > MOST
    assert confined.run("tests.unit.workers.test_hostile_artifacts:take", str(4 << 30)).kind == "MemoryError"


def take(size: str) -> None:
    held = bytearray(int(size))
    held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])
