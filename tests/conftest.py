"""What every level of tests may ask for: a broker, a database server, fresh databases, processes."""

import gc
import os
import shutil
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest

from controlplane import continuations
from controlplane.store.database import Database
from processes.memory import settle
from tests.support import broker as brokers
from tests.support import postgres_server
from tests.support.broker import Broker
from tests.support.fresh_sqlite import fresh_sqlite
from tests.support.memory_disk import memory_disk
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Processes

# Some machines ask Python to keep no bytecode. Then each process that a test starts compiles its libraries anew, which
# is half and more of what it computes, and no user's does that.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = ["tests.support.turns", "tests.support.spent"]
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[Broker]:
    """Real Apache Kafka: GRAFTWORK_TEST_KAFKA (bootstrap servers), else started from the jars, else a loud skip."""
    if given := os.environ.get("GRAFTWORK_TEST_KAFKA"):
        yield Broker(given)
        return
    if reason := brokers.missing():
        pytest.skip(f"NOT RUN ON KAFKA: {reason}")
    broker = Broker.start_new(memory_disk())
    yield broker
    broker.remove()


@pytest.fixture
def kafka(kafka_broker: Broker) -> Broker:
    """The broker with no topic of ours on it."""
    kafka_broker.empty()
    return kafka_broker


@pytest.fixture
def mortal_kafka(kafka: Broker) -> Iterator[Broker]:
    """A broker that a test may kill; it is brought back afterwards."""
    if not kafka.is_ours:
        pytest.skip("NOT RUN: GRAFTWORK_TEST_KAFKA names a broker that tests may not kill")
    yield kafka
    kafka.revive()


@pytest.fixture(scope="session")
def postgres_server_() -> Iterator[PostgresServer]:
    """Real PostgreSQL: GRAFTWORK_TEST_POSTGRES (a URL of a superuser), else started here, else a loud skip."""
    if given := os.environ.get("GRAFTWORK_TEST_POSTGRES"):
        server = PostgresServer(given)
    elif reason := postgres_server.missing():
        pytest.skip(f"NOT RUN ON POSTGRESQL: {reason}")
    else:
        server = PostgresServer.start_new(memory_disk())  # on a disk a database costs ten times the CPU
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server_: PostgresServer) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    url = postgres_server_.create_database()
    yield url
    postgres_server_.drop_database(url)


@pytest.fixture
def empty_postgres_url(postgres_server_: PostgresServer) -> Iterator[str]:
    """A fresh PostgreSQL database that nobody has migrated."""
    url = postgres_server_.create_database(migrated=False)
    yield url
    postgres_server_.drop_database(url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "graftwork.db"
    fresh_sqlite(file)
    return file


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    file = tmp_path / "graftwork.db"
    shutil.copy(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database: the test runs on SQLite and on PostgreSQL."""
    return cast(str, request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="module", params=DATABASES)
def file_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """For tests that change nothing: one database for all of a file, first on SQLite, then on PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("database") / "graftwork.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        url = f"sqlite:///{file}"
    else:
        url = cast(PostgresServer, request.getfixturevalue("postgres_server_")).create_database()
    opened = continuations.open_database(url)
    yield opened
    opened.close()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = continuations.open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    opened = continuations.open_database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def postgres_database(postgres_url: str) -> Iterator[Database]:
    opened = continuations.open_database(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def open_database(database_url: str) -> Iterator[Callable[[], Database]]:
    """Opens the test's one database again and again, as several processes would."""
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(continuations.open_database(database_url))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Starts real processes of ours; none outlives the test."""
    started = Processes(tmp_path)
    yield started
    started.kill_all()


WEIGHTS = {"e2e": 3, "slow": 2, "kafka": 1, "postgres": 1}
"""Marks of tests that take long, most of it waiting."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several at a time begin with the files that take longest, so that none of them waits alone for the last one."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    marks: dict[Path, set[str]] = defaultdict(set)
    for item in items:
        marks[item.path] |= {mark.name for mark in item.iter_markers()}.intersection(WEIGHTS)
    items.sort(key=lambda item: -sum(WEIGHTS[mark] for mark in marks[item.path]))


def pytest_collection_finish() -> None:
    """What every test may import is there now: no collection of garbage looks through it again."""
    settle()


# kafka-python 3.0.12 leaves the socket of a connection that it gives up to the garbage collector, which reports it in
# whatever test comes later: seen once in some runs, and the fault of none of them.


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.get_closest_marker("kafka"):
        item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"))


@pytest.fixture(autouse=True)
def leave_no_kafka_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("kafka"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


@pytest.fixture(autouse=True)
def record_backend(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Says in the report which real parts a test ran on."""
    for backend in ("kafka", "postgres", "browser"):
        if request.node.get_closest_marker(backend):
            record_property("backend", backend)
    if "sqlite_template" in request.fixturenames or any("sqlite" in str(v) for v in _parameters(request)):
        record_property("backend", "sqlite")


def _parameters(request: pytest.FixtureRequest) -> list[object]:
    call = getattr(request.node, "callspec", None)
    return list(call.params.values()) if call else []
