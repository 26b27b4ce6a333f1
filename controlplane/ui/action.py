"""What a person may do on a page: a form that works without a script, says what follows, and asks for a reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
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
    method: Literal["POST", "DELETE"] = "POST"
    """The API's: DELETE is of the thing itself, whatever the verb is called."""
    makes: bool = False
    """It makes a thing of that kind, so it is sent to the noun alone and takes an empty name."""
    answer: str | None = None
    """A template that shows what came of it as `made`, this once; None: back to where the form was."""

    def route(self, noun: str) -> str:
        """As the API's table of roles calls it, with `{}` for the thing's name or id."""
        if self.makes:
            return f"POST /v1/{noun}"
        return f"DELETE /v1/{noun}/{{}}" if self.method == "DELETE" else f"POST /v1/{noun}/{{}}:{self.name}"


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
    known_as: str = ""
    """What is read out after the label, where several things stand on a page."""

    @property
    def path(self) -> str:
        """Where its form is sent."""
        return f"/{self.noun}" if self.verb.makes else f"/{self.noun}/{quote(self.of, safe='')}/{self.verb.name}"
