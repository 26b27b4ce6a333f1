"""Triggers: what each listens to and starts, what it answered to events and why, and who changed its rule."""

from typing import Final

from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.pages.paging import API_PAGE, some
from schemas.views.triggers import EvaluationView

NEWEST: Final = 199
"""Evaluations that are looked through for the last one of each trigger."""
UNHEARD: Final = 10
ROWS: Final = 50


def look(ask: Ask) -> Found:
    triggers, more = some(ask.client.list_triggers(), API_PAGE - 1)
    newest, _ = some(ask.client.list_evaluations(limit=NEWEST + 1), NEWEST)
    last: dict[str, EvaluationView] = {one.trigger: one for one in reversed(newest) if one.trigger is not None}
    unheard = [one for one in newest if one.trigger is None]
    return {
        "triggers": triggers,
        "more": more,
        "last": {trigger.name: last.get(trigger.name) for trigger in triggers},
        "unheard": unheard[:UNHEARD],
    }


def look_at_one(ask: Ask) -> Found:
    """Also at one that was deleted: its evaluations and its history stay."""
    name = ask.names["trigger"]
    history, older = some(ask.client.trigger_history(name), API_PAGE - 1)
    evaluations, more = some(ask.client.list_evaluations(trigger=name, limit=ROWS + 1), ROWS)
    return {
        "name": name,
        "trigger": ask.client.get_trigger(name) if history[0].spec is not None else None,
        "evaluations": evaluations,
        "more": more,
        "history": history,
        "older": older,
    }


def concerns(found: Found) -> frozenset[str]:
    return frozenset({found["name"]})


PAGE: Final = Page(path="/triggers", template="triggers.html", look=look, fragments=("triggers", "unheard"))
ONE: Final = Page(
    path="/triggers/{trigger}",
    template="trigger.html",
    look=look_at_one,
    fragments=("rule", "evaluations", "history"),
    concerns=concerns,
    every_seconds=lambda _found: 5.0,
)
