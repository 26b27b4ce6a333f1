"""Dead letters that differ from what was sent, and secrets beside an event that is there on purpose, are found."""

from dataclasses import replace

import pytest

from controlplane.commands.spine.dead_letters import Burial, bury
from controlplane.store.database import Database
from controlplane.transport.port import Delivery
from schemas.kafka_binding import KafkaMessage
from tests.support import sinks
from tests.trials.hostile.event_judge import faults_of
from tests.trials.hostile.event_kinds import RawName

SENT = KafkaMessage(b"\xffkey", b"\xff\0 not JSON", (("ce_id", b"\xfe"), ("ce_\0", b"1"), (RawName("x"), b"")))
READ = replace(SENT, headers=(*SENT.headers[:2], ("\\xff\\xfe", b"")))
"""As Kafka's client hands it over: names that are no UTF-8 are spelled out."""
TOKEN = "gw_a-token-of-somebody"


def buried(database: Database, message: KafkaMessage) -> None:
    with database.begin("inbound") as uow:
        bury(uow, Delivery("graftwork.inbound", 0, 7, message), Burial("inbound", "unreadable: value: no JSON"))


def faults(database: Database) -> str:
    return "\n".join(faults_of(database, set(), {("graftwork.inbound", 0, 7): SENT}))


def test_a_letter_that_is_kept_as_it_came_is_good(database: Database) -> None:
    buried(database, READ)
    assert faults(database) == ""


@pytest.mark.parametrize(
    ("kept", "part"),
    [
        (replace(READ, key=None), "key"),
        (replace(READ, value=None), "value"),
        (replace(READ, value=b"\xff"), "value"),
        (replace(READ, value="\ufffd\0 not JSON".encode()), "value"),
        (replace(READ, headers=()), "headers"),
        (replace(READ, headers=READ.headers[::-1]), "headers"),
        (replace(READ, headers=(*READ.headers, ("authorization", TOKEN.encode()))), "headers"),
    ],
)
def test_a_letter_that_differs_from_what_was_sent_is_found(kept: KafkaMessage, part: str, database: Database) -> None:
    buried(database, kept)
    assert faults(database).endswith(f"its {part} is not what was sent")


def test_a_token_copied_into_a_letter_is_found_beside_the_event_that_is_there_on_purpose(database: Database) -> None:
    event = f'{{"password": "{TOKEN}"'
    known = {"dead_letter.value": event}
    planted = {"token": TOKEN}
    buried(database, KafkaMessage(None, event.encode(), ()))
    assert sinks.found_in(sinks.tables(database, told=known), planted) == []
    assert sinks.found_in(sinks.tables(database), planted) == ["token in table dead_letter.value"]
    with database.begin("inbound") as uow:
        headers = (("authorization", f"Bearer {TOKEN}".encode()),)
        message = KafkaMessage(None, f"{event} {TOKEN}".encode(), headers)
        bury(uow, Delivery("graftwork.inbound", 0, 8, message), Burial("inbound", "unreadable"))
    found = sinks.found_in(sinks.tables(database, told=known), planted)
    assert found == ["token in table dead_letter.headers", "token in table dead_letter.value"]
