"""What callers may send: sizes, shapes and how a body is read."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError, model_validator
from starlette.requests import ClientDisconnect

from schemas.base import Strict, Tolerant
from workers.serve.problems import Problem, invalid, wrong

MAX_BODY_BYTES = 1_048_576
"""Bytes of the body of one request to a gateway, as it comes and once it is unpacked."""
MAX_ROWS = 64
"""Rows of one request to a gateway."""
MAX_CHARACTERS = 20_000
"""Characters of one row; the version's tokenizer reads the first `max_length` tokens of it."""
MAX_KEY_CHARACTERS = 256
"""Characters of a session key."""

Text = Annotated[str, Field(max_length=MAX_CHARACTERS)]
Texts = Annotated[tuple[Text, ...], Field(min_length=1, max_length=MAX_ROWS)]
SessionKey = Annotated[str, Field(min_length=1, max_length=MAX_KEY_CHARACTERS)]
M = TypeVar("M", bound=BaseModel)


class PredictRequest(Strict):
    """Exactly one of `text` and `texts`."""

    text: Text | None = None
    texts: Texts | None = None
    session_key: SessionKey | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "PredictRequest":
        if (self.text is None) == (self.texts is None):
            raise ValueError("expected exactly one of `text` and `texts`")
        return self

    @property
    def rows(self) -> tuple[str, ...]:
        return self.texts if self.texts is not None else (self.text or "",)


class NullIsAbsent(Tolerant):
    """What other people's libraries write: null for every member that they leave out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


async def read(request: Request, model: type[M]) -> M:
    return parsed(model, await read_body(request))


def parsed(model: type[M], body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None  # its own text quotes the row


def hanging_up(request: Request) -> Callable[[], Awaitable[None]]:
    """Makes what finishes when the caller hangs up, once the body was read."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return left


def session_key(request: Request, in_body: str | None) -> str | None:
    """The body's key, else the `x-session-key` header's."""
    key = in_body if in_body is not None else request.headers.get("x-session-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise wrong("session key", f"expected 1 to {MAX_KEY_CHARACTERS} characters")
    return key


async def read_body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:  # nobody will read this answer, and nothing went wrong here
        raise Problem(400, "incomplete", "The request ended before its body did", "expected the whole body") from None


LIMITS: dict[str, Any] = {
    "body_bytes": MAX_BODY_BYTES,
    "rows": MAX_ROWS,
    "characters_per_row": MAX_CHARACTERS,
    "session_key_characters": MAX_KEY_CHARACTERS,
}
