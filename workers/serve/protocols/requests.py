"""What callers may send: sizes, shapes and how a body is read."""

from typing import Annotated, Any, Literal, TypeVar

from fastapi import Request
from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator
from starlette.requests import ClientDisconnect

from schemas.base import Strict, Tolerant
from workers.serve.problems import INVALID, Problem, invalid
from workers.serve.protocols import binary_tensors

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
_TEXTS: TypeAdapter[tuple[str, ...]] = TypeAdapter(Texts)
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


class _NullIsAbsent(Tolerant):
    """What other people's libraries write: null for every member that they leave out."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {key: one for key, one in value.items() if one is not None} if isinstance(value, dict) else value


class TensorParameters(_NullIsAbsent):
    binary_data_size: Annotated[int, Field(ge=0, le=MAX_BODY_BYTES)] | None = None
    """Bytes of this tensor behind the JSON, which then has no `data`."""


class InputTensor(_NullIsAbsent):
    """The one input of the Open Inference Protocol that we take: a list of texts, flat or nested as its shape says."""

    name: Literal["text"]
    datatype: Literal["BYTES"]
    shape: Annotated[tuple[int, ...], Field(min_length=1, max_length=2)]
    data: Texts | None = None
    parameters: TensorParameters = TensorParameters()

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Nested data only where each row is the one element of the shape's second dimension."""
        if not isinstance(value, dict) or not isinstance(data := value.get("data"), list):
            return value
        if not any(isinstance(row, list) for row in data):
            return value
        shape = value.get("shape")
        if shape != [len(data), 1] or not all(isinstance(row, list) and len(row) == 1 for row in data):
            raise ValueError(
                f"data is nested: expected shape [{len(data)}, 1] with one text in each of {len(data)} lists, "
                "or a flat list of texts"
            )
        return {**value, "data": [row[0] for row in data]}

    @model_validator(mode="after")
    def _shaped(self) -> "InputTensor":
        if (self.data is None) == (self.parameters.binary_data_size is None):
            raise ValueError("expected either data or parameters.binary_data_size")
        if self.data is not None:
            self.check_shape(len(self.data))
        return self

    def check_shape(self, rows: int) -> None:
        if self.shape not in ((rows,), (rows, 1)):
            raise ValueError(f"expected shape [{rows}] or [{rows}, 1] for the {rows} rows")


class OutputParameters(_NullIsAbsent):
    binary_data: bool | None = None


class OutputChoice(_NullIsAbsent):
    name: Literal["label", "scores", "prediction_id"]
    parameters: OutputParameters = OutputParameters()


class InferParameters(_NullIsAbsent):
    session_key: SessionKey | None = None
    binary_data_output: bool = False
    """Whether outputs come as binary data; it applies to every output that does not say otherwise."""


class InferRequest(_NullIsAbsent):
    """`POST /v2/models/{m}/infer`."""

    id: Annotated[str, Field(max_length=256)] | None = None
    inputs: Annotated[tuple[InputTensor, ...], Field(min_length=1, max_length=1)]
    outputs: tuple[OutputChoice, ...] = Field(default=(), max_length=3)
    """None named = all of them."""
    parameters: InferParameters = InferParameters()

    def wants_binary(self, output: str) -> bool:
        for choice in self.outputs:
            if choice.name == output and choice.parameters.binary_data is not None:
                return choice.parameters.binary_data
        return self.parameters.binary_data_output


async def read(request: Request, model: type[M]) -> M:
    return _parsed(model, await _read_body(request))


async def read_inference(request: Request) -> tuple[InferRequest, tuple[str, ...]]:
    """The request and its texts, which may stand behind it in binary."""
    body = await _read_body(request)
    try:
        header, binary = binary_tensors.split(body, request.headers.get(binary_tensors.HEADER))
    except binary_tensors.NotBinary as error:
        raise _wrong(f"{binary_tensors.HEADER}: {error}") from None
    asked = _parsed(InferRequest, header)
    return asked, _texts(asked.inputs[0], binary)


def _texts(tensor: InputTensor, binary: bytes) -> tuple[str, ...]:
    told = tensor.parameters.binary_data_size or 0
    if told != len(binary):
        expected = f"expected {len(binary)}, as many bytes as follow the JSON, not {told}"
        raise _wrong(f"inputs.0.parameters.binary_data_size: {expected}")
    if tensor.data is not None:
        return tensor.data
    try:
        texts = _TEXTS.validate_python(tuple(binary_tensors.unpack_texts(binary)))
        tensor.check_shape(len(texts))
    except ValidationError as error:
        raise invalid(error, "inputs.0") from None
    except (binary_tensors.NotBinary, ValueError) as error:
        raise _wrong(f"inputs.0: {error}") from None
    return texts


def _parsed(model: type[M], body: bytes) -> M:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None  # its own text quotes the row


def _wrong(detail: str) -> Problem:
    return Problem(422, "invalid", INVALID, detail)


def session_key(request: Request, in_body: str | None) -> str | None:
    """The body's key, else the `x-session-key` header's."""
    key = in_body if in_body is not None else request.headers.get("x-session-key")
    if key is not None and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise _wrong(_KEY_SIZE)
    return key


async def _read_body(request: Request) -> bytes:
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
