"""A lived-in site, copied for each test: building one takes longer than looking at it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from controlplane.continuations import open_database
from controlplane.store.database import Database
from tests.trials.chaos.tests.audited import AuditedWorld, audited


@pytest.fixture(scope="module")
def template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lived-in site's folder, to be copied."""
    folder = tmp_path_factory.mktemp("lived")
    shutil.copy(sqlite_template, folder / "graftwork.db")
    database = open_database(f"sqlite:///{folder / 'graftwork.db'}")
    with audited(database, folder / "artifacts") as site:
        site.live()
        (folder / "expected.txt").write_text(repr_expected(site))
    database.close()
    return folder


def repr_expected(site: AuditedWorld) -> str:
    return "\n".join(sorted(str(job) for job in site.expected.jobs))


@pytest.fixture
def folder(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def opened(folder: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{folder / 'graftwork.db'}")
    yield database
    database.close()


@pytest.fixture
def site(opened: Database, folder: Path) -> Iterator[AuditedWorld]:
    with audited(opened, folder / "artifacts") as one:
        one.expected.jobs |= {UUID(line) for line in (folder / "expected.txt").read_text().splitlines()}
        yield one


@pytest.fixture
def told(opened: Database, folder: Path) -> Iterator[AuditedWorld]:
    """With topics, on which every fact is."""
    with audited(opened, folder / "artifacts", bootstrap_servers="in memory") as one:
        one.expected.jobs |= {UUID(line) for line in (folder / "expected.txt").read_text().splitlines()}
        one.relay()
        yield one
