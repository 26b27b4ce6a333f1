"""Servers of tests keep their data in memory where there is room, and where they always did otherwise."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import memory_disk as module
from tests.support.memory_disk import NEEDED, memory_disk


@pytest.fixture(autouse=True)
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "SHARED_MEMORY", tmp_path)
    return tmp_path


def has_free(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=size))


def test_data_is_kept_in_memory_that_has_room(shared_memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    has_free(monkeypatch, NEEDED)
    assert memory_disk() == shared_memory


def test_memory_without_room_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    has_free(monkeypatch, NEEDED - 1)
    assert memory_disk() is None


def test_a_machine_without_such_a_folder_has_no_memory_disk(
    shared_memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SHARED_MEMORY", shared_memory / "missing")
    assert memory_disk() is None
