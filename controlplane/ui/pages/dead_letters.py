"""Dead letters: what could not be handled, why, and whether it shall be handled once more."""

from typing import Final

from controlplane.ui.action import Action
from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.pages.paging import some
from controlplane.ui.verbs import DEAD_LETTER

ROWS: Final = 50


def look(ask: Ask) -> Found:
    status = ask.options.get("status") or "Open"
    letters, more = some(ask.client.list_dead_letters(status=None if status == "all" else status, limit=ROWS + 1), ROWS)
    return {"letters": letters, "more": more, "status": status}


def actions(found: Found) -> list[Action]:
    return [
        Action(verb, "dead-letters", str(letter.id))
        for letter in found["letters"]
        if letter.status == "Open"
        for verb in DEAD_LETTER
    ]


PAGE: Final = Page(
    path="/dead-letters", template="dead_letters.html", look=look, fragments=("letters",), actions=actions
)
