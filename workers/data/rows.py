"""A row of a dataset version: what it is, its canonical form, and the digests over that."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

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
class Kept:
    """What curation keeps of a row, whatever its row schema."""

    key: str
    """The normal form of what the row says, its answer in the last line: rows with one key are duplicates."""
    group: str | None = None
    place: Place | None = None
    """None: a row of the parent version."""
    split: Split | None = None
    """None: it has not been divided yet."""

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

    @classmethod
    def of(cls, text: str, label: str, **kept: Any) -> "TextLabel":
        return cls(text, label, key=normalize(text), **kept)

    def with_text(self, text: str) -> "TextLabel":
        return replace(self, text=text, key=normalize(text))


@dataclass(frozen=True, slots=True)
class PromptCompletion(Kept):
    prompt: str
    completion: str
    label: None = None

    @classmethod
    def of(cls, prompt: str, completion: str, **kept: Any) -> "PromptCompletion":
        return cls(prompt, completion, key=f"{normalize(prompt)}{ANSWER}{normalize(completion)}", **kept)

    @property
    def text(self) -> str:
        return f"{self.prompt}\n{self.completion}"


@dataclass(frozen=True, slots=True)
class Messages(Kept):
    messages: Sequence[Message]
    label: None = None

    @classmethod
    def of(cls, messages: Sequence[Message], **kept: Any) -> "Messages":
        key = ANSWER.join(f"{message['role']} {normalize(message['content'])}" for message in messages)
        return cls(messages, key=key, **kept)

    @property
    def text(self) -> str:
        return "\n".join(message["content"] for message in self.messages)


Row = TextLabel | PromptCompletion | Messages
"""`text` is what is counted of it and `label` what it is balanced by; None: its row schema has no label."""
ROWS: Final[Mapping[RowSchemaName, Callable[..., Row]]] = {
    "text_label": TextLabel.of,
    "prompt_completion": PromptCompletion.of,
    "messages": Messages.of,
}
"""By its row schema how a row is made of the values of the schema's columns, in their order."""


SCHEMA_OF: Final[Mapping[type, RowSchemaName]] = {
    TextLabel: "text_label",
    PromptCompletion: "prompt_completion",
    Messages: "messages",
}


def canonical(row: Row, schema: RowSchema) -> Canonical:
    return tuple(getattr(row, column) for column in schema.columns)


def canonical_of(row: Row) -> Canonical:
    """By the row schema that the row is of."""
    return canonical(row, ROW_SCHEMAS[SCHEMA_OF[type(row)]])


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
