"""What a person may do on a page: a form that works without a script, says what follows, and asks for a reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from controlplane.client import Client
from schemas.roles import Role

REASON: Final = "reason"
LONGEST_REASON: Final = 500


@dataclass(frozen=True)
class Field:
    """What a form asks for beside the reason."""

    name: str
    label: str
    optional: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verb:
    """What can be done to one kind of thing. The API decides whether it may: here its button is hidden or shown."""

    name: str
    """As the route and the command line call it."""
    label: str
    needs: Role
    consequence: str
    """What follows, in a sentence, read before it is confirmed."""
    send: Callable[[Client, str, Mapping[str, str]], Any]
    """Takes the thing's name or id, and what was filled in. Raises ApiError and Unreachable."""
    fields: tuple[Field, ...] = ()
    reason: bool = True
    danger: bool = False


@dataclass(frozen=True)
class Action:
    """A verb at one thing."""

    verb: Verb
    noun: str
    """The kind of thing, as the API's routes call it."""
    of: str
    """Its name or id."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Hidden fields, such as the revision that the person saw."""

    @property
    def path(self) -> str:
        """Where its form is sent."""
        return f"/{self.noun}/{quote(self.of, safe='')}/{self.verb.name}"
