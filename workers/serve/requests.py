"""What callers may send: sizes, shapes and how a body is read."""

from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field, ValidationError, model_validator
from starlette.requests import ClientDisconnect

from schemas.base import Strict, Tolerant
from workers.serve.problems import Problem, invalid

MAX_BODY_BYTES = 1_048_576
"""Of one request to a gateway, as it comes and once it is unpacked."""
MAX_ROWS = 64
"""Of one request to a gateway."""
MAX_CHARACTERS = 20_000
"""Of one row; the version's tokenizer reads the first `max_length` tokens of it."""
MAX_KEY_CHARACTERS = 256
"""Of a session key."""

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


class InputTensor(Tolerant):
    """The one input of the Open Inference Protocol that we take: a list of texts."""

    name: Literal["text"]
    datatype: Literal["BYTES"]
    shape: Annotated[tuple[int, ...], Field(min_length=1, max_length=2)]
    data: Texts

    @model_validator(mode="after")
    def _shaped(self) -> "InputTensor":
        if self.shape not in ((len(self.data),), (len(self.data), 1)):
            raise ValueError(
                f"expected shape [{len(self.data)}] or [{len(self.data)}, 1] for the {len(self.data)} rows"
            )
        return self


class OutputChoice(Tolerant):
    name: Literal["label", "scores", "prediction_id"]


class InferParameters(Tolerant):
    session_key: SessionKey | None = None


class InferRequest(Tolerant):
    """`POST /v2/models/{m}/infer`, JSON tensors only."""

    id: Annotated[str, Field(max_length=256)] | None = None
    inputs: Annotated[tuple[InputTensor, ...], Field(min_length=1, max_length=1)]
    outputs: tuple[OutputChoice, ...] = Field(default=(), max_length=3)
    """None named = all of them."""
    parameters: InferParameters = InferParameters()


async def read(request: Request, model: type[M]) -> M:
    body = await _read_body(request)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None  # its own text quotes the row


def session_key(request: Request, in_body: str | None) -> str | None:
    """The body's key, else the `x-session-key` header's."""
    key = in_body if in_body is not None else request.headers.get("x-session-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise Problem(422, "invalid", "The request is understood and wrong", _KEY_SIZE)
    return key


async def _read_body(request: Request) -> bytes:
    if "inference-header-content-length" in request.headers:
        raise Problem(422, "invalid", "Binary tensors are not supported", "expected a JSON body without binary data")
    try:
        return await request.body()
    except ClientDisconnect:  # nobody will read this answer, and nothing went wrong here
        raise Problem(400, "incomplete", "The request ended before its body did", "expected the whole body") from None


_KEY_SIZE = f"session key: expected 1 to {MAX_KEY_CHARACTERS} characters"
LIMITS: dict[str, Any] = {
    "body_bytes": MAX_BODY_BYTES,
    "rows": MAX_ROWS,
    "characters_per_row": MAX_CHARACTERS,
    "session_key_characters": MAX_KEY_CHARACTERS,
}
