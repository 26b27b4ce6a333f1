"""Whoever is signed in, with the client that asks the API on their behalf and the bell of their live pages."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from controlplane.client import Client
from controlplane.ui.bell import Bell
from controlplane.ui.sessions import Session

MOST: Final = 500
"""People whose connections are kept; others open new ones."""


@dataclass(frozen=True)
class Person:
    session: Session
    client: Client
    bell: Bell


class People:
    """By session, those that were here last."""

    def __init__(self, api_url: str) -> None:
        self._api_url = api_url
        self._known: OrderedDict[str, Person] = OrderedDict()

    def of(self, session: Session) -> Person:
        if session.key not in self._known:
            client = self.client(session.token)
            self._known[session.key] = Person(session, client, Bell(client))
        self._known.move_to_end(session.key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)[1].client.close()
        return self._known[session.key]

    def client(self, token: str) -> Client:
        return Client(self._api_url, token)

    def close(self) -> None:
        """Every connection; whoever comes again opens new ones."""
        while self._known:
            self._known.popitem()[1].client.close()

    def forget(self, session: Session) -> None:
        if (person := self._known.pop(session.key, None)) is not None:
            person.client.close()
