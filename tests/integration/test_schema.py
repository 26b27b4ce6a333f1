"""The database's schema: migrated from empty, equal to the models, and checked against this code."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from controlplane.errors import SchemaTooNew, SchemaTooOld
from controlplane.store.database import Database
from controlplane.store.schema import SCHEMA_VERSION, check, wait_until_current
from controlplane.store.upgrade import alembic_config, upgrade
from tests.support.waiting import wait_for


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        database = Database(request.getfixturevalue("empty_postgres_url"))
    yield database
    database.close()


def set_versions(database: Database, version: int, oldest_code: int) -> None:
    with database.begin("test") as uow:
        values = {"version": version, "oldest": oldest_code}
        uow.execute(text("UPDATE schema_info SET version = :version, oldest_code = :oldest").bindparams(**values))


def test_the_migrations_make_what_the_models_say(empty: Database) -> None:
    upgrade(empty)
    with empty.engine.connect() as connection:
        command.check(alembic_config(connection))


def test_an_upgrade_again_changes_nothing(empty: Database) -> None:
    upgrade(empty)
    upgrade(empty)
    check(empty)


def test_a_database_that_nobody_migrated_is_too_old(empty: Database) -> None:
    with pytest.raises(SchemaTooOld, match=f"at version 0, this code needs {SCHEMA_VERSION}"):
        check(empty)


def test_a_newer_schema_that_still_supports_this_code_is_fine_and_is_not_touched(database: Database) -> None:
    set_versions(database, SCHEMA_VERSION + 1, SCHEMA_VERSION)
    check(database)
    upgrade(database)
    with database.read() as session:
        assert session.connection().execute(text("SELECT version FROM schema_info")).scalar() == SCHEMA_VERSION + 1


def test_a_schema_that_no_longer_supports_this_code_is_refused_at_once(database: Database) -> None:
    set_versions(database, SCHEMA_VERSION + 2, SCHEMA_VERSION + 1)
    with pytest.raises(SchemaTooNew, match=f"from {SCHEMA_VERSION + 1} on"):
        wait_until_current(database, lambda _: None)


def test_a_process_waits_for_the_migration_and_says_so_once(empty: Database) -> None:
    said: list[str] = []
    waiting = threading.Thread(target=wait_until_current, args=(empty, said.append, 0.01))
    waiting.start()
    wait_for(lambda: said, "it says that it waits")
    upgrade(empty)
    waiting.join(30)
    assert not waiting.is_alive()
    assert said == [
        f"waiting: the schema is at version 0, this code needs {SCHEMA_VERSION}; run `graftwork db upgrade`"
    ]


def test_of_many_that_upgrade_at_once_all_find_it_done(empty: Database) -> None:
    failed: list[BaseException] = []

    def run(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as error:
            failed.append(error)

    databases = [Database(empty.url) for _ in range(4)]
    threads = [threading.Thread(target=run, args=(lambda d=d: upgrade(d),)) for d in databases]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for database in databases:
        database.close()
    assert failed == []
    check(empty)


def test_a_new_file_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "new.db"
    holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")  # not in WAL mode yet: turning it there is refused at once, timeout or not
    threading.Timer(0.3, holder.rollback).start()
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    check(database)
    database.close()
    holder.close()
