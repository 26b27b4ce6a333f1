"""Two trained and exported versions, made once a machine by real jobs and planted in every site after that."""

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final
from uuid import UUID

from sqlmodel import SQLModel, col, select

from controlplane.store.database import Database
from controlplane.store.tables import (
    AttachmentRow,
    BaseGraphRow,
    DatasetRow,
    DatasetVersionRow,
    JobRow,
    ModelVersionRow,
    RegisteredModelRow,
)
from tests.support.cargo import CASE
from tests.support.downloads import downloads
from tests.support.processes import ROOT

LINEAGE: Final[tuple[type[SQLModel], ...]] = (
    JobRow, DatasetRow, DatasetVersionRow, RegisteredModelRow, ModelVersionRow, AttachmentRow, BaseGraphRow,
)  # fmt: skip
"""Rows that say what the artifacts are, in the order of their references."""
MADE_BY: Final = (
    "schemas",
    "controlplane/store",
    "workers/curate",
    "workers/train",
    "workers/export",
    "workers/base",
    "workers/tasks",
    "workers/adapters",
    "workers/graph",
)
"""Code whose change makes the versions stale."""
TRAIN_ROWS, VALIDATION_ROWS, TEST_ROWS = 160, 200, 40
ROWS: Final = TRAIN_ROWS + VALIDATION_ROWS + TEST_ROWS


def cache_folder() -> Path:
    """Its name says by which code and for which rows the versions were made."""
    files = [file for part in MADE_BY for file in sorted((ROOT / part).rglob("*.py"))]
    made_of = [json.dumps(curation(ROWS)).encode(), *(file.read_bytes() for file in files)]
    return downloads() / f"load-site-{hashlib.sha256(b''.join(made_of)).hexdigest()[:16]}"


def keep(database: Path, artifacts: Path) -> None:
    """Everything appears at once, or nothing does."""
    fresh = Path(mkdtemp(prefix="load-site-", dir=downloads()))
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(fresh / "graftwork.db")) as copy:
        source.backup(copy)
    shutil.copytree(artifacts, fresh / "artifacts")
    try:
        fresh.rename(cache_folder())
    except OSError:  # somebody was faster
        shutil.rmtree(fresh)


def plant(database_url: str, artifacts: Path) -> list[UUID]:
    """The versions, oldest first."""
    cached = cache_folder()
    shutil.copytree(cached / "artifacts", artifacts, dirs_exist_ok=True)
    source, target = Database(f"sqlite:///{cached / 'graftwork.db'}"), Database(database_url)
    try:
        with source.read() as reading, target.begin("planted") as uow:
            for row in LINEAGE:
                for one in reading.exec(select(row)).all():
                    uow.session.merge(row(**one.model_dump()))  # a deployment has registered its model already
                uow.session.flush()
            query = select(ModelVersionRow.id).order_by(col(ModelVersionRow.created_at))
            return list(uow.session.exec(query))
    finally:
        source.close()
        target.close()


def curation(limit: int, *, name: str = "reviews") -> dict[str, Any]:
    """The demo's real reviews."""
    pipeline = CASE.document("pipeline")
    spec: dict[str, Any] = pipeline["stages"]["curate"]["spec"]
    source = {**spec["sources"][0], "uri": pipeline["params"]["uri"]}
    changed = {
        "sample": {"offset": 0, "limit": limit},
        "split": {"validation": min(VALIDATION_ROWS, limit // 3), "test": min(TEST_ROWS, limit // 3)},
    }
    operators = [{**one, **changed.get(one["op"], {})} for one in spec["operators"]]
    return {**spec, "dataset": name, "parent": None, "sources": [source], "operators": operators}
