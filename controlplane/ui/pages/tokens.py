"""Tokens, for admins: whose they are, never what they are, and forms that make one and revoke one."""

from typing import Final

from controlplane.ui.action import Action
from controlplane.ui.page import Ask, Found, Page
from controlplane.ui.verbs import TOKEN


def look(ask: Ask) -> Found:
    """Those that are valid stand first."""
    return {
        "tokens": sorted(ask.client.list_tokens(), key=lambda one: one.revoked_at is not None),
        "own": str(ask.caller.id),
    }


def actions(found: Found) -> list[Action]:
    made = []
    for verb in TOKEN:
        if verb.makes:
            made.append(Action(verb, "tokens", ""))
        else:
            valid = [one for one in found["tokens"] if one.revoked_at is None]
            made += [Action(verb, "tokens", str(one.id), known_as=f"the token of {one.name}") for one in valid]
    return made


PAGE: Final = Page(
    path="/tokens", template="tokens.html", look=look, fragments=("tokens",), actions=actions, needs="admin"
)
