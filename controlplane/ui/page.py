"""What a page is: an address, what it asks of the API, and which of its fragments are live."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from controlplane.client import Client
from controlplane.ui.action import Action
from schemas.roles import Role
from schemas.views.tokens import Caller

Found = Mapping[str, Any]
"""What a page shows, by name: views of the API, as they came. Its JSON twin is just this."""
SLOWLY: Final = 15.0
"""Seconds until a page that no fact concerns looks again."""


@dataclass(frozen=True)
class Ask:
    """One look at a page, by one person."""

    client: Client
    caller: Caller
    names: Mapping[str, str]
    """What the path names."""
    options: Mapping[str, str]
    """What stands after its question mark."""


@dataclass(frozen=True)
class Page:
    path: str
    """Its stable address, which the CLI prints too."""
    template: str
    look: Callable[[Ask], Found]
    """At most a handful of calls. Raises ApiError and Unreachable."""
    fragments: tuple[str, ...] = ()
    """Blocks of the template that are sent again when they have changed; each is an element of that id."""
    concerns: Callable[[Found], frozenset[str]] | None = None
    """Names and ids: a fact that carries none of them changes nothing here. None: any fact may."""
    every_seconds: Callable[[Found], float] = field(default=lambda _found: SLOWLY)
    """When to look again without any fact: evidence grows without one."""
    actions: Callable[[Found], list[Action]] = field(default=lambda _found: [])
    """What may be done here now, by whoever may."""
    needs: Role | None = None
    """The role that the API asks for what is shown; whoever lacks it is told so, and sees no link."""
