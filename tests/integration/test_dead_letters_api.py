"""Dead letters over HTTP: listed, shown to auditors, handed back and closed by operators."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlmodel import select

from controlplane.api.app import create_app
from controlplane.commands.spine import dead_letters
from controlplane.commands.spine.dead_letters import Burial
from controlplane.commands.spine.tokens import create_token
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow, ParkedEventRow
from controlplane.transport.port import Delivery
from schemas.kafka_binding import KafkaMessage
from schemas.roles import Role


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with TestClient(create_app(Settings(), database)) as opened:
        yield opened


def headers(database: Database, role: Role) -> dict[str, str]:
    with database.begin("test") as uow:
        _, plain = create_token(uow, f"{role}-{uuid4()}", role)
    return {"authorization": f"Bearer {plain}"}


def bury(database: Database, offset: int) -> None:
    message = KafkaMessage(b"key", b"\xffnot utf-8", (("ce_id", b"1"),))
    with database.begin("test") as uow:
        dead_letters.bury(
            uow, Delivery("graftwork.inbound", 0, offset, message), Burial("controlplane.reactions", "bad")
        )


def test_letters_are_listed_newest_first_and_page_by_page(client: TestClient, database: Database) -> None:
    for offset in range(5):
        bury(database, offset)
    bury(database, 4)  # delivered again after a crash: one place, one letter
    viewer = headers(database, "viewer")
    seen, cursor = [], None
    while True:
        page = client.get(
            "/v1/dead-letters", headers=viewer, params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        )
        assert page.status_code == 200, page.text
        seen += [item["offset"] for item in page.json()["items"]]
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert seen == [4, 3, 2, 1, 0]


def test_only_an_auditor_sees_the_bytes(client: TestClient, database: Database) -> None:
    bury(database, 0)
    (letter,) = client.get("/v1/dead-letters", headers=headers(database, "viewer")).json()["items"]
    assert "value" not in letter
    path = f"/v1/dead-letters/{letter['id']}"
    assert client.get(path, headers=headers(database, "operator")).status_code == 403
    shown = client.get(path, headers=headers(database, "auditor")).json()
    assert shown["value_base64"] == "/25vdCB1dGYtOA=="
    assert shown["headers"] == [["ce_id", "1"]]


def test_a_letter_is_handed_back_or_discarded_once(client: TestClient, database: Database) -> None:
    bury(database, 0)
    bury(database, 1)
    operator = headers(database, "operator")
    second, first = (item["id"] for item in client.get("/v1/dead-letters", headers=operator).json()["items"])
    assert client.post(f"/v1/dead-letters/{first}:replay", headers=headers(database, "viewer")).status_code == 403
    replaying = client.post(f"/v1/dead-letters/{first}:replay", headers=operator)
    assert (replaying.status_code, replaying.json()["status"]) == (202, "Replaying")
    assert client.post(f"/v1/dead-letters/{second}:discard", headers=operator).json()["status"] == "Discarded"
    for verb in ("replay", "discard"):
        assert client.post(f"/v1/dead-letters/{second}:{verb}", headers=operator).status_code == 409
        assert client.post(f"/v1/dead-letters/{uuid4()}:{verb}", headers=operator).status_code == 404
    listed = client.get("/v1/dead-letters", headers=operator, params={"status": "Open"}).json()["items"]
    assert listed == []


def test_a_refused_fact_that_is_discarded_lets_its_successors_pass_and_another_consumers_letter_does_not(
    client: TestClient, database: Database
) -> None:
    message = KafkaMessage(b"key", b"value", ())
    with database.begin("test") as uow:
        for seq in (7, 8):
            dead_letters.park(uow, seq, "dataset/reviews", "too large")
        dead_letters.bury(uow, Delivery(dead_letters.OUTBOX, 0, 7, message), Burial(dead_letters.RELAY, "too large"))
        dead_letters.bury(uow, Delivery("graftwork.inbound", 0, 8, message), Burial("controlplane.reactions", "bad"))
    operator = headers(database, "operator")
    for letter in client.get("/v1/dead-letters", headers=operator).json()["items"]:
        assert client.post(f"/v1/dead-letters/{letter['id']}:discard", headers=operator).status_code == 200
    with database.read() as session:
        assert session.exec(select(ParkedEventRow.seq)).all() == [8]


def test_a_consumer_is_handed_its_own_letters_oldest_first(database: Database) -> None:
    with database.begin("test") as uow:
        for offset, consumer in enumerate(("a", "b", "a", "a")):
            letter = Burial(consumer, "bad")
            dead_letters.bury(uow, Delivery("t", 0, offset, KafkaMessage(None, None, ())), letter)
        kept = uow.session.exec(select(DeadLetterRow)).all()
        for row in kept:
            row.at = kept[0].at
        for row in kept[:3]:
            dead_letters.replay_dead_letter(uow, row.id)
    with database.read() as session:
        assert [row.offset for row in dead_letters.letters_to_replay(session, "a")] == [0, 2]
        assert [row.offset for row in dead_letters.letters_to_replay(session, "b")] == [1]
