"""A tiny real base model and a workbench, for every worker's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builders.bases import build_tiny_base
from tests.support.builders.decoder_exports import WIDE, Exported
from tests.support.builders.decoders import build_tiny_decoder
from tests.support.warm_attacks import WarmAttacks, warm_attacks
from tests.support.workbench import Workbench
from workers.attack import handler


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_decoder(tmp_path_factory.mktemp("base") / "decoder")


@pytest.fixture(scope="session")
def wide_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that can be served."""
    return build_tiny_decoder(tmp_path_factory.mktemp("base") / "wide", **WIDE)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory, wide_decoder: Path) -> Exported:
    return Exported(Workbench(tmp_path_factory.mktemp("exported"), wide_decoder))


@pytest.fixture
def workbench(tmp_path: Path, tiny_base: Path) -> Workbench:
    return Workbench(tmp_path, tiny_base)


@pytest.fixture(scope="module")
def attacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmAttacks]:
    with warm_attacks(tmp_path_factory.mktemp("attacks")) as process:
        yield process


@pytest.fixture
def warm(attacks: WarmAttacks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attacks go to the one process of a module's tests, which has TextAttack imported."""
    monkeypatch.setattr(handler, "run_isolated", attacks.run)
