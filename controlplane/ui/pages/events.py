"""Events: the newest facts, or those of one chain of cause and effect."""

from typing import Final

from controlplane.ui.page import Ask, Found, Page

NEWEST: Final = 100


def look(ask: Ask) -> Found:
    kinds = [ask.options["type"]] if ask.options.get("type") else []
    page = ask.client.read_events(types=kinds, limit=NEWEST)
    wanted = ask.options.get("correlation")
    items = [one for one in reversed(page.items) if wanted is None or one.correlationid == wanted]
    return {"events": items, "type": ask.options.get("type"), "correlation": wanted}


PAGE: Final = Page(path="/events", template="events.html", look=look, fragments=("events",))
