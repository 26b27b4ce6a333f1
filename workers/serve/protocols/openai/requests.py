"""What callers of OpenAI's endpoints may send.

A member that would change the answer and that we cannot honour is refused by its name, unless its value changes
nothing; so is one that we do not know, as OpenAI's own API does: where a `top_k` was ignored, the answer would be
another than the one that was asked for. Members that concern OpenAI's own business, such as `store` or `user`, are
taken and not read.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

from workers.serve.protocols.requests import NullIsAbsent
from workers.serve.protocols.sampling import Sampling
from workers.tasks.text_generation.writing import Asked

MAX_MODEL_CHARACTERS = 200
"""Characters of the name of a model, with its version."""
MAX_MESSAGES = 1000
"""Messages of a conversation."""
MAX_CONVERSATION_CHARACTERS = 200_000
"""Characters of a prompt, or of all messages of a conversation; how many tokens fit is up to the version's base."""


class Only:
    """Annotates a member that is taken at these values alone, with which it changes nothing."""

    def __init__(self, *neutral: Any) -> None:
        self._neutral = neutral

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"enum": [*self._neutral, None]}

    def _check(self, value: Any) -> Any:
        if not any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in self._neutral):
            shown = " or ".join(json.dumps(one) for one in (*self._neutral, None))
            raise ValueError(f"expected {shown}: nothing else is supported here")
        return value


Unread = Annotated[Any, WithJsonSchema({})]
"""A member that changes no answer."""


class StreamOptions(NullIsAbsent):
    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False
    """A last chunk tells the numbers of tokens."""
    include_obfuscation: Annotated[Any, Only(False)] = False


class _Request(Sampling):
    """What both endpoints take."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(max_length=MAX_MODEL_CHARACTERS)]
    """The deployment's model, of which a version is drawn; or `name/3`, a version that is served now."""
    stream: bool = False
    """The answer comes in pieces, as server-sent events."""
    stream_options: StreamOptions | None = None
    user: Unread = None
    n: Annotated[Any, Only(1)] = 1
    frequency_penalty: Annotated[Any, Only(0)] = 0
    presence_penalty: Annotated[Any, Only(0)] = 0
    logit_bias: Annotated[Any, Only({})] = None

    @field_validator("stream_options")
    @classmethod
    def _with_a_stream(cls, options: StreamOptions | None, known: ValidationInfo) -> StreamOptions | None:
        if options is not None and not known.data.get("stream"):
            raise ValueError("expected none without `stream`")
        return options

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class TextPart(NullIsAbsent):
    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


class Message(NullIsAbsent):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str | tuple[TextPart, ...]
    """A text, or parts of it: each begins a line."""
    tool_calls: Annotated[Any, Only([])] = None
    annotations: Annotated[Any, Only([])] = None

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "\n".join(part.text for part in self.content)


def _bounded(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    if (length := sum(len(message.text) for message in messages)) > MAX_CONVERSATION_CHARACTERS:
        raise ValueError(f"expected at most {MAX_CONVERSATION_CHARACTERS} characters together, not {length}")
    return messages


class ChatRequest(_Request):
    """`POST /v1/chat/completions`."""

    messages: Annotated[tuple[Message, ...], Field(min_length=1, max_length=MAX_MESSAGES), AfterValidator(_bounded)]
    max_completion_tokens: int | None = Field(default=None, ge=1, lt=1 << 31)
    """Another name of `max_tokens`: one of them at most."""
    logprobs: Annotated[Any, Only(False)] = False
    top_logprobs: Annotated[Any, Only(0)] = 0
    response_format: Annotated[Any, Only({"type": "text"})] = None
    modalities: Annotated[Any, Only(["text"])] = None
    tools: Annotated[Any, Only([])] = None
    tool_choice: Annotated[Any, Only("none")] = None
    functions: Annotated[Any, Only([])] = None
    function_call: Annotated[Any, Only("none")] = None
    metadata: Unread = None
    parallel_tool_calls: Unread = None
    prediction: Unread = None
    prompt_cache_key: Unread = None
    prompt_cache_options: Unread = None
    prompt_cache_retention: Unread = None
    safety_identifier: Unread = None
    service_tier: Unread = None
    store: Unread = None

    @field_validator("max_completion_tokens")
    @classmethod
    def _alone(cls, tokens: int | None, known: ValidationInfo) -> int | None:
        if tokens is not None and known.data.get("max_tokens") is not None:
            raise ValueError("expected none beside `max_tokens`, its other name")
        return tokens

    def wanted(self) -> Asked:
        messages = [{"role": message.role, "content": message.text} for message in self.messages]
        return self.asked(messages=messages, max_tokens=self.max_completion_tokens)


def _first(value: Any) -> Any:
    """A list of one prompt is that prompt."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class CompletionRequest(_Request):
    """`POST /v1/completions`."""

    prompt: Annotated[
        str,
        Field(max_length=MAX_CONVERSATION_CHARACTERS),
        BeforeValidator(_first, json_schema_input_type=str | Annotated[list[str], Field(min_length=1, max_length=1)]),
    ]
    """A text to go on from, or a list of one."""
    best_of: Annotated[Any, Only(1)] = 1
    echo: Annotated[Any, Only(False)] = False
    logprobs: Annotated[Any, Only()] = None
    suffix: Annotated[Any, Only("")] = None

    def wanted(self) -> Asked:
        return self.asked(prompt=self.prompt)
