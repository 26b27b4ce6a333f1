"""The test fixtures themselves: what other tests stand on."""

import pytest
from kafka import KafkaConsumer, KafkaProducer

from controlplane.store.database import Database
from controlplane.store.schema import check
from tests.support.broker import Broker
from tests.support.waiting import wait_for


def test_a_fresh_database_is_migrated_and_empty(database: Database) -> None:
    check(database)
    with database.read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM event").scalar_one() == 0


@pytest.mark.kafka
def test_a_killed_broker_comes_back_with_what_it_acknowledged(mortal_kafka: Broker) -> None:
    mortal_kafka.create_topic("graftwork.fixture")
    producer = KafkaProducer(bootstrap_servers=mortal_kafka.bootstrap_servers, reconnect_backoff_max_ms=1000)
    producer.send("graftwork.fixture", b"kept").get(timeout=30)
    producer.close()
    mortal_kafka.kill()
    mortal_kafka.restart()
    consumer = KafkaConsumer(
        "graftwork.fixture", bootstrap_servers=mortal_kafka.bootstrap_servers, auto_offset_reset="earliest"
    )
    batches = wait_for(lambda: consumer.poll(timeout_ms=500), "the record is read after the restart")
    consumer.close()
    assert [r.value for records in batches.values() for r in records] == [b"kept"]
