"""A row of a dataset version: what it is, its canonical form, and the digests over that."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from schemas.artifacts import Digest, Split
from schemas.data.rows import ROW_SCHEMAS, RowSchema, RowSchemaName
from workers.data.normalize import loosely, normalize

Canonical = tuple[object, ...]
"""The values of a row schema's columns, in their order."""
ANSWER: Final = "\n"
"""What stands in a key before the answer; no normal form holds it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row came from: which source of the spec, and its line (its row, in Parquet), from 1."""

    source: int
    line: int


Message = Mapping[str, str]
"""One turn of a conversation: its `role` and its `content`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(ABC):
    """What curation keeps of a row, whatever its row schema."""

    group: str | None = None
    place: Place | None = None
    """None: a row of the parent version."""
    split: Split | None = None
    """None: it has not been divided yet."""
    _key: str | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """The normal form of what the row says, its answer in the last line: rows with one key are duplicates.

        Made when first asked for: a text that is too long is left out before anybody does.
        """
        if self._key is None:
            object.__setattr__(self, "_key", self._normal_form())
        assert self._key is not None
        return self._key

    @abstractmethod
    def _normal_form(self) -> str:
        """The key, by the texts of the row."""

    @property
    def question(self) -> str:
        """The normal form of what the row asks: all of it, where it has no answer."""
        return self.key.rpartition(ANSWER)[0] or self.key

    @property
    def unit(self) -> str:
        """What may not be divided between splits: a group, or all answers to one question."""
        if self.group is not None:
            return f"group:{self.group}"
        return f"text:{loosely(self.question)}"


@dataclass(frozen=True, slots=True)
class TextLabel(Kept):
    text: str
    label: str

    def with_text(self, text: str) -> "TextLabel":
        return replace(self, text=text, _key=None)

    def _normal_form(self) -> str:
        return normalize(self.text)


@dataclass(frozen=True, slots=True)
class PromptCompletion(Kept):
    prompt: str
    completion: str
    label: None = None

    def _normal_form(self) -> str:
        return f"{normalize(self.prompt)}{ANSWER}{normalize(self.completion)}"

    @property
    def text(self) -> str:
        return f"{self.prompt}\n{self.completion}"


@dataclass(frozen=True, slots=True)
class Messages(Kept):
    messages: Sequence[Message]
    label: None = None

    def _normal_form(self) -> str:
        return ANSWER.join(f"{message['role']} {normalize(message['content'])}" for message in self.messages)

    @property
    def text(self) -> str:
        return "\n".join(message["content"] for message in self.messages)


Row = TextLabel | PromptCompletion | Messages
"""`text` is what is counted of it and `label` what it is balanced by; None: its row schema has no label."""
ROWS: Final[Mapping[RowSchemaName, Callable[..., Row]]] = {
    "text_label": TextLabel,
    "prompt_completion": PromptCompletion,
    "messages": Messages,
}
"""By its row schema how a row is made of the values of the schema's columns, in their order."""
_SCHEMAS: Final[Mapping[object, RowSchema]] = {of: ROW_SCHEMAS[name] for name, of in ROWS.items()}


def schema_of(row: Row) -> RowSchema:
    return _SCHEMAS[type(row)]


def canonical(row: Row, schema: RowSchema) -> Canonical:
    return tuple(getattr(row, column) for column in schema.columns)


def canonical_of(row: Row) -> Canonical:
    """By the row schema that the row is of."""
    return canonical(row, schema_of(row))


def written(value: object) -> bytes:
    """One line of JSON, which is the same whoever writes it: what digests are made of."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


def rows_digest(rows: Iterable[Canonical]) -> Digest:
    """The digest of rows, in whatever order: who is asked the same has the same digest."""
    sha256 = hashlib.sha256()
    for line in sorted(written(row) for row in rows):
        sha256.update(line)
    return "sha256:" + sha256.hexdigest()


def row_digest(*row: object) -> Digest:
    """The digest of one row, by its canonical values: it names the row to who has it, and tells nobody what it says."""
    return "sha256:" + hashlib.sha256(written(row)).hexdigest()
