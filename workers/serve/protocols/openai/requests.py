"""What callers of OpenAI's endpoints may send.

A member that would change the answer and that we cannot honour is refused by its name, unless its value changes
nothing; so is one that we do not know, as OpenAI's own API does: where a `top_k` was ignored, the answer would be
another than the one that was asked for. Members that concern OpenAI's own business, such as `store` or `user`, are
taken and not read.
"""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from workers.serve.protocols.requests import NullIsAbsent
from workers.serve.protocols.sampling import Sampling
from workers.tasks.text_generation.writing import Asked

MAX_MODEL_CHARACTERS = 200
"""Characters of the name of a model, with its version."""
MAX_MESSAGES = 1000
"""Messages of a conversation."""
MAX_CONVERSATION_CHARACTERS = 200_000
"""Characters of a prompt, or of all messages of a conversation; how many tokens fit is up to the version's base."""


def only(*neutral: Any) -> Any:
    """The type of a member that is taken at these values alone, with which it changes nothing."""
    shown = " or ".join(json.dumps(value) for value in neutral)

    def check(value: Any) -> Any:
        if not any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in neutral):
            raise ValueError(f"expected {shown}, or none: nothing else is supported here")
        return value

    return Annotated[Any, AfterValidator(check), WithJsonSchema({"enum": [*neutral, None]})]


Unread = Annotated[Any, WithJsonSchema({})]
"""A member that changes no answer."""


class StreamOptions(NullIsAbsent):
    model_config = ConfigDict(extra="forbid")

    include_usage: bool = False
    """A last chunk tells the numbers of tokens."""
    include_obfuscation: only(False) = False


class _Request(Sampling):
    """What both endpoints take."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(max_length=MAX_MODEL_CHARACTERS)]
    """The deployment's model, of which a version is drawn; or `name/3`, a version that is served now."""
    stream: bool = False
    """The answer comes in pieces, as server-sent events."""
    stream_options: StreamOptions | None = None
    user: Unread = None
    n: only(1) = 1
    frequency_penalty: only(0) = 0
    presence_penalty: only(0) = 0
    logit_bias: only({}) = None

    @model_validator(mode="after")
    def _streams_with_options(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options: expected none, or `stream` true with them")
        return self

    @property
    def includes_usage(self) -> bool:
        return self.stream_options is not None and self.stream_options.include_usage


class TextPart(NullIsAbsent):
    model_config = ConfigDict(extra="forbid")

    type: Literal["text"]
    text: str


def _joined(value: Any) -> Any:
    """Parts of text are lines of one text."""
    if not isinstance(value, list):
        return value
    return "\n".join(TextPart.model_validate(part).text for part in value)


class Message(NullIsAbsent):
    """One turn of a conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined, json_schema_input_type=str | list[TextPart])]
    """A text, or a list of parts of type `text`."""
    tool_calls: only([]) = None
    annotations: only([]) = None


class ChatRequest(_Request):
    """`POST /v1/chat/completions`."""

    messages: tuple[Message, ...] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_completion_tokens: int | None = Field(default=None, ge=1, lt=1 << 31)
    """Another name of `max_tokens`; exactly one of them, or none."""
    logprobs: only(False) = False
    top_logprobs: only(0) = 0
    response_format: only({"type": "text"}) = None
    modalities: only(["text"]) = None
    tools: only([]) = None
    tool_choice: only("none") = None
    functions: only([]) = None
    function_call: only("none") = None
    metadata: Unread = None
    parallel_tool_calls: Unread = None
    prediction: Unread = None
    prompt_cache_key: Unread = None
    prompt_cache_options: Unread = None
    prompt_cache_retention: Unread = None
    safety_identifier: Unread = None
    service_tier: Unread = None
    store: Unread = None

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            raise ValueError("max_tokens: expected none beside max_completion_tokens")
        if sum(len(message.content) for message in self.messages) > MAX_CONVERSATION_CHARACTERS:
            raise ValueError(f"messages: expected at most {MAX_CONVERSATION_CHARACTERS} characters together")
        return self

    def wanted(self) -> Asked:
        messages = [{"role": message.role, "content": message.content} for message in self.messages]
        return self.asked(messages=messages, max_tokens=self.max_completion_tokens)


def _alone(value: Any) -> Any:
    """A list of one prompt is that prompt."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class CompletionRequest(_Request):
    """`POST /v1/completions`."""

    prompt: Annotated[
        str,
        Field(max_length=MAX_CONVERSATION_CHARACTERS),
        BeforeValidator(_alone, json_schema_input_type=str | Annotated[list[str], Field(min_length=1, max_length=1)]),
    ]
    """A text to go on from, or a list of one."""
    best_of: only(1) = 1
    echo: only(False) = False
    logprobs: only() = None
    suffix: only("") = None

    def wanted(self) -> Asked:
        return self.asked(prompt=self.prompt)
