"""How OpenAI's endpoints tell an answer: whole, or in server-sent events as it is written."""

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from schemas.base import View
from workers.serve.problems import Problem, as_openai
from workers.serve.rollout.streams import Streamed
from workers.serve.rollout.units import Answered
from workers.tasks.text_generation.writing import FinishReason, Written

DONE: Final = b"data: [DONE]\n\n"
Told = Mapping[str, Any]


class Usage(View):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Choice(View):
    index: int
    finish_reason: FinishReason
    logprobs: None
    prediction_id: str
    """Bring it back with what you think of the answer: `POST /v1/feedback`."""


class AssistantMessage(View):
    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(Choice):
    message: AssistantMessage


class TextChoice(Choice):
    text: str


class _Completion(View):
    id: str
    created: int
    """In seconds since 1970."""
    model: str
    """The version that answered: `name/3`."""
    usage: Usage


class ChatCompletion(_Completion):
    object: Literal["chat.completion"]
    choices: list[ChatChoice]


class TextCompletion(_Completion):
    object: Literal["text_completion"]
    choices: list[TextChoice]


@dataclass(frozen=True)
class Wording:
    """How one of the endpoints words an answer and its pieces."""

    prefix: str
    """The answer's id begins with it."""
    whole_object: str
    piece_object: str
    whole: Callable[[str], Told]
    piece: Callable[[str], Told]
    opening: Told | None = None
    """The choice of a first chunk, where there is one before any text."""
    ending: Told = field(default_factory=dict)
    """The choice of the chunk that says how it ended."""


CHAT: Final = Wording(
    prefix="chatcmpl",
    whole_object="chat.completion",
    piece_object="chat.completion.chunk",
    whole=lambda text: {"message": {"role": "assistant", "content": text, "refusal": None}},
    piece=lambda text: {"delta": {"content": text}},
    opening={"delta": {"role": "assistant", "content": ""}},
    ending={"delta": {}},
)
TEXT: Final = Wording(
    prefix="cmpl",
    whole_object="text_completion",
    piece_object="text_completion",
    whole=lambda text: {"text": text},
    piece=lambda text: {"text": text},
    ending={"text": ""},
)


def whole(answer: Answered, wording: Wording) -> Told:
    [one] = answer.answers
    written: Written = one.payload
    choice = _choice(wording.whole(written.text), written.finish_reason, one.prediction_id)
    head = _head(wording.prefix, wording.whole_object, answer)
    return {**head, "choices": [choice], "usage": _usage(written)}


async def events(streamed: Streamed, wording: Wording, *, usage: bool) -> AsyncIterator[bytes]:
    """Server-sent events; one that broke off ends with an error instead of `[DONE]`."""
    head = _head(wording.prefix, wording.piece_object, streamed)
    head |= {"usage": None} if usage else {}
    last = Written("")
    async with streamed:
        try:
            if wording.opening is not None:
                yield _event({**head, "choices": [_choice(wording.opening)]})
            async for last in streamed:
                if last.text:
                    yield _event({**head, "choices": [_choice(wording.piece(last.text))]})
        except Problem as problem:
            yield _event(as_openai(problem))
            return
        yield _event({**head, "choices": [_choice(wording.ending, last.finish_reason, streamed.prediction_id)]})
        if usage:
            yield _event({**head, "choices": [], "usage": _usage(last)})
        yield DONE


def _head(prefix: str, kind: str, answer: Answered | Streamed) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{answer.request_id}",
        "object": kind,
        "created": int(time.time()),
        "model": f"{answer.version.model}/{answer.version.version}",
    }


def _choice(said: Told, finish_reason: FinishReason | None = None, prediction_id: str | None = None) -> dict[str, Any]:
    named = {"prediction_id": prediction_id} if prediction_id is not None else {}
    return {"index": 0, **said, "logprobs": None, "finish_reason": finish_reason, **named}


def _usage(written: Written) -> dict[str, int]:
    asked, answered = written.prompt_tokens, written.completion_tokens
    return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}


def _event(data: Told) -> bytes:
    """In one line: JSON escapes every line break."""
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"
