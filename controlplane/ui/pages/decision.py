"""Why: a decision in words, and whether its stored inputs give the same verdict again."""

from typing import Final

from controlplane.ui.page import Ask, Found, Page


def look(ask: Ask) -> Found:
    decision = ask.client.why(ask.names["decision"])
    return {"decision": decision, "rollout": ask.client.get_rollout(decision.rollout_id)}


PAGE: Final = Page(path="/decisions/{decision}", template="decision.html", look=look)
