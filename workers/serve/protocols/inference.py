"""What callers of the Open Inference Protocol may send: one input of texts, as JSON or in binary behind it."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import Field, TypeAdapter, ValidationError, model_validator

from workers.serve.problems import invalid, wrong
from workers.serve.protocols import binary_tensors
from workers.serve.protocols.requests import (
    MAX_BODY_BYTES,
    NullIsAbsent,
    SessionKey,
    Texts,
    parsed,
    read_body,
)
from workers.serve.protocols.sampling import Sampling

_TEXTS: TypeAdapter[tuple[str, ...]] = TypeAdapter(Texts)


class TensorParameters(NullIsAbsent):
    binary_data_size: Annotated[int, Field(ge=0, le=MAX_BODY_BYTES)] | None = None
    """Bytes of this tensor behind the JSON, which then has no `data`."""


class InputTensor(NullIsAbsent):
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


class OutputParameters(NullIsAbsent):
    binary_data: bool | None = None


class OutputChoice(NullIsAbsent):
    name: Literal["label", "scores", "text", "prediction_id"]
    """One of the task's outputs, as the model's metadata names them."""
    parameters: OutputParameters = OutputParameters()


class InferParameters(Sampling):
    """A generator is also told how to write; a classifier reads nothing of that."""

    session_key: SessionKey | None = None
    binary_data_output: bool = False
    """Whether outputs come as binary data; it applies to every output that does not say otherwise."""


class InferRequest(NullIsAbsent):
    """`POST /v2/models/{m}/infer`."""

    id: Annotated[str, Field(max_length=256)] | None = None
    inputs: Annotated[tuple[InputTensor, ...], Field(min_length=1, max_length=1)]
    outputs: tuple[OutputChoice, ...] = Field(default=(), max_length=3)
    """None named = all of them."""
    parameters: InferParameters = InferParameters()

    @property
    def named_outputs(self) -> tuple[str, ...]:
        return tuple(output.name for output in self.outputs)

    def check_outputs(self, known: Sequence[str]) -> None:
        """Raises Problem for one that the model's task has not."""
        for place, name in enumerate(self.named_outputs):
            if name not in known:
                raise wrong(f"outputs.{place}.name", f"expected {' or '.join(map(repr, known))}")

    def wants_binary(self, output: str) -> bool:
        for choice in self.outputs:
            if choice.name == output and choice.parameters.binary_data is not None:
                return choice.parameters.binary_data
        return self.parameters.binary_data_output


async def read_inference(request: Request) -> tuple[InferRequest, tuple[str, ...]]:
    """The request and its texts, which may stand behind it in binary."""
    body = await read_body(request)
    try:
        header, binary = binary_tensors.split(body, request.headers.get(binary_tensors.HEADER))
    except binary_tensors.NotBinary as error:
        raise wrong(binary_tensors.HEADER, str(error)) from None
    asked = parsed(InferRequest, header)
    return asked, _texts(asked.inputs[0], binary)


def _texts(tensor: InputTensor, binary: bytes) -> tuple[str, ...]:
    told = tensor.parameters.binary_data_size or 0
    if told != len(binary):
        expected = f"expected {len(binary)}, as many bytes as follow the JSON, not {told}"
        raise wrong("inputs.0.parameters.binary_data_size", expected)
    if tensor.data is not None:
        return tensor.data
    try:
        texts = _TEXTS.validate_python(tuple(binary_tensors.unpack_texts(binary)))
        tensor.check_shape(len(texts))
    except ValidationError as error:
        raise invalid(error, "inputs.0") from None
    except (binary_tensors.NotBinary, ValueError) as error:
        raise wrong("inputs.0", str(error)) from None
    return texts
