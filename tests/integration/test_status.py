"""`graftwork status` where other people's events come by Kafka: how many wait to be read, and why."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.cli.app import main
from controlplane.commands.spine.partitions import note_standings
from controlplane.store.database import Database
from controlplane.transport.port import Standing
from tests.support.http_server import serving
from tests.support.worlds.in_process import InProcess

Status = Callable[..., str]
KAFKA = "127.0.0.1:1"


@pytest.fixture
def status(sqlite_database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Status:
    """What the verb prints, on a site with Kafka or without."""
    token = tmp_path / "token"

    def one(*words: str, kafka: bool = True) -> str:
        site = InProcess(sqlite_database, **({"kafka_bootstrap_servers": KAFKA} if kafka else {}))
        token.write_text(site.tokens["viewer"])
        with serving(site.app) as url, pytest.raises(SystemExit) as stopped:
            main(["status", *words, "--api-url", url, "--token-file", str(token), "--home", str(tmp_path / "home")])
        said = capsys.readouterr()
        assert (stopped.value.code, said.err) == (0, "")
        return said.out

    return one


def note(database: Database, partition: int, position: int, end: int) -> None:
    with database.begin("reactions") as uow:
        note_standings(uow, "inbound", [Standing("graftwork.inbound", partition, position, end, end)])


def test_lag_is_the_sum_of_all_partitions(status: Status, sqlite_database: Database) -> None:
    note(sqlite_database, 0, position=10, end=1_010)
    note(sqlite_database, 1, position=0, end=234)
    assert "INBOUND 1,234 records wait to be read\nthey are being read\n" in status()
    assert json.loads(status("--json"))["inbound"] == {"inbound_lag": 1_234, "inbound": []}


def test_nothing_is_said_when_nothing_waits(status: Status, sqlite_database: Database) -> None:
    note(sqlite_database, 0, position=10, end=10)
    assert "INBOUND" not in status()


def test_it_says_why_records_wait(status: Status) -> None:
    assert "INBOUND 0 records wait to be read\nno reactions process has read" in status()


def test_without_kafka_there_is_no_inbound_topic(status: Status) -> None:
    assert "INBOUND" not in status(kafka=False)
