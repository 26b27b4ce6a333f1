"""Dead letters on a page: handed back or closed by whoever may, and never their content."""

import pytest

from controlplane.commands.spine import dead_letters
from controlplane.commands.spine.dead_letters import Burial
from controlplane.store.database import Database
from controlplane.transport.port import Delivery
from schemas.kafka_binding import KafkaMessage
from tests.support.worlds.website import Website

CONTENT = "a row of somebody's"


@pytest.fixture
def letters(sqlite_database: Database, web: Website) -> list[str]:
    """Two of them, oldest first, by id."""
    for offset in range(2):
        message = KafkaMessage(b"key", CONTENT.encode(), ())
        delivery = Delivery("graftwork.inbound", 0, offset, message)
        with sqlite_database.begin("test") as uow:
            dead_letters.bury(uow, delivery, Burial("controlplane.reactions", f"reason {offset}"))
    found = web.site.client("viewer").get("/v1/dead-letters").json()["items"]
    return [one["id"] for one in reversed(found)]


def test_an_operator_replays_one_and_discards_the_other(web: Website, letters: list[str]) -> None:
    operator, (first, second) = web.sign_in("operator"), letters
    shown = operator.page("/dead-letters")
    assert shown.words.index("reason 1") < shown.words.index("reason 0")
    for letter, verb in ((first, "replay"), (second, "discard")):
        path = f"/dead-letters/{letter}/{verb}"
        assert operator.press("/dead-letters", path).headers["location"] == "/dead-letters"
    assert "None is open." in operator.page("/dead-letters").words
    known = {one["id"]: one for one in operator.twin("/dead-letters?status=all")["letters"]}
    assert (known[first]["status"], known[second]["status"]) == ("Replaying", "Discarded")
    assert known[second]["closed_by"] == "operator"
    again = operator.post(f"/dead-letters/{second}/replay", **operator.page("/").forms[0]["fields"])
    assert again.status_code == 409


def test_a_viewer_sees_why_and_neither_content_nor_button(web: Website, letters: list[str]) -> None:
    shown = web.sign_in("viewer").page("/dead-letters")
    assert "reason 0" in shown.words
    assert shown.actions == ["/sign-out"]
    assert CONTENT not in shown.html
