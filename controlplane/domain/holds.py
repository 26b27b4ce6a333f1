"""Holds: four eyes on whatever gives a version more traffic."""

import unicodedata
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class Person:
    """Whose word it is: a token and the name that it was given."""

    token_id: UUID
    name: str

    def is_same_as(self, other: "Person") -> bool:
        """The same token or the same name, however it is written: one person may have several tokens."""
        return self.token_id == other.token_id or _folded(self.name) == _folded(other.name)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
