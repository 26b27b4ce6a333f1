"""The doorbell on both transports: rings for a job of our kinds, stays silent for others, and outlives an outage."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
import uvicorn

from controlplane.api.app import create_app
from controlplane.commands.spine.singleton import Singleton
from controlplane.commands.spine.tokens import create_token
from controlplane.relay import Relay
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.transport.kafka import KafkaPublisher, create_topics
from controlplane.transport.port import Unavailable
from schemas.facts import JobRequested
from tests.support.broker import Broker
from tests.support.ports import free_ports
from tests.support.waiting import wait_for
from workers.runtime.api import Api
from workers.runtime.doorbell import Doorbell, open_doorbell
from workers.runtime.settings import WorkerSettings

Bell = tuple[Doorbell, Database]


def request(database: Database, kind: str) -> None:
    with database.begin("test") as uow:
        job_id = uuid4()
        uow.record(JobRequested(job_id=job_id, kind=kind, attempt=0), f"job/{job_id}")


@pytest.fixture
def api_url(sqlite_database: Database) -> Iterator[str]:
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(create_app(Settings(), sqlite_database), port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, "the API starts")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(30)


@pytest.fixture
def http_bell(sqlite_database: Database, api_url: str) -> Iterator[Bell]:
    with sqlite_database.begin("test") as uow:
        _, token = create_token(uow, "worker", "worker")
    with Api(api_url, token) as api:
        yield open_doorbell(api, WorkerSettings(), ["train"]), sqlite_database


@pytest.fixture
def kafka_bell(sqlite_database: Database, kafka: Broker) -> Iterator[Bell]:
    settings = Settings(kafka_bootstrap_servers=kafka.bootstrap_servers)
    create_topics(settings)
    relay = Relay(sqlite_database, KafkaPublisher(settings), Singleton(sqlite_database, "relay", 5))
    stop = threading.Event()

    def relay_for_ever() -> None:
        while not stop.wait(0.05):
            with suppress(Unavailable):
                relay.step()

    thread = threading.Thread(target=relay_for_ever)
    thread.start()
    with Api("http://127.0.0.1:1", None) as api:
        bell = open_doorbell(api, WorkerSettings(kafka_bootstrap_servers=kafka.bootstrap_servers), ["train"])
        yield bell, sqlite_database
    bell.close()  # type: ignore[attr-defined]
    stop.set()
    thread.join(30)
    relay.close()


@pytest.fixture(params=["http", pytest.param("kafka", marks=pytest.mark.kafka)])
def bell(request: pytest.FixtureRequest) -> Bell:
    found: Bell = request.getfixturevalue(f"{request.param}_bell")
    return found


def silence(doorbell: Doorbell) -> None:
    """Where it listens from is settled, and what it may have missed is behind us."""
    wait_for(lambda: not doorbell.wait(0.5), "the bell is silent")


def test_what_was_requested_before_it_listened_makes_it_ring_once(bell: Bell) -> None:
    doorbell, database = bell
    request(database, "train")
    assert doorbell.wait(30)
    silence(doorbell)


def test_it_rings_for_a_job_of_our_kinds_only(bell: Bell) -> None:
    doorbell, database = bell
    silence(doorbell)
    request(database, "merge")
    assert not doorbell.wait(1.0)
    request(database, "train")
    assert doorbell.wait(20)
    silence(doorbell)
    request(database, "train")
    assert doorbell.wait(20)


@pytest.mark.kafka
def test_it_outlives_a_restart_of_the_broker(mortal_kafka: Broker, kafka_bell: Bell) -> None:
    doorbell, database = kafka_bell
    silence(doorbell)
    mortal_kafka.kill()
    assert not doorbell.wait(1.0)
    mortal_kafka.restart()
    request(database, "train")
    assert doorbell.wait(60)


def test_without_anybody_to_hear_it_is_silent_and_never_raises() -> None:
    with Api("http://127.0.0.1:1", None) as api:
        assert not open_doorbell(api, WorkerSettings(), ["train"]).wait(0.2)
