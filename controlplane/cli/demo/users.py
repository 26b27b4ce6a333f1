"""Users: each asks a version at the gateway, and says afterwards whether it was right."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx

MAX_TOKENS: Final = 48
"""Tokens of an answer: what is asked for has about 20."""
_DATA: Final = "data: "
_DONE: Final = "[DONE]"


@dataclass(frozen=True)
class Heard:
    """What came of one question."""

    variant: str
    prediction_id: str
    said: str


@dataclass(frozen=True)
class Verdict:
    """What a user thinks of an answer."""

    label: str
    """As feedback says it."""
    right: bool


class User(Protocol):
    def ask(self, gateway: httpx.Client, question: str) -> Heard:
        """Raises httpx.HTTPError where no answer came."""
        ...

    def judge(self, said: str, right: str) -> Verdict: ...


class Labeller:
    """Asks for a text's label, and says which one is right."""

    def ask(self, gateway: httpx.Client, question: str) -> Heard:
        answer = gateway.post("/v1/predict", json={"texts": [question]})
        answer.raise_for_status()
        prediction = answer.json()["predictions"][0]
        return Heard(answer.headers["x-variant"], prediction["prediction_id"], prediction["label"])

    def judge(self, said: str, right: str) -> Verdict:
        return Verdict(right, said == right)


@dataclass(frozen=True)
class Reader:
    """Asks for a text, reads it as it is written, and says whether it is good."""

    model: str
    meaning: Callable[[str], object]
    """A good answer means what the right one does, and something at all."""

    def ask(self, gateway: httpx.Client, question: str) -> Heard:
        asked = {"model": self.model, "prompt": question, "max_tokens": MAX_TOKENS, "temperature": 0, "stream": True}
        text, prediction_id = "", ""
        with gateway.stream("POST", "/v1/completions", json=asked) as answer:
            answer.raise_for_status()
            for choice in _choices(answer):
                text += choice["text"]
                prediction_id = choice.get("prediction_id", prediction_id)
        if not prediction_id:
            raise httpx.RemoteProtocolError("a stream ended before its answer did")
        return Heard(answer.headers["x-variant"], prediction_id, text)

    def judge(self, said: str, right: str) -> Verdict:
        meant = self.meaning(said)
        is_good = meant is not None and meant == self.meaning(right)
        return Verdict("good" if is_good else "bad", is_good)


def _choices(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The one choice of each event of a stream, as OpenAI's servers write them; an event of an error has none."""
    for line in answer.iter_lines():
        if line.startswith(_DATA) and line != _DATA + _DONE:
            yield from json.loads(line.removeprefix(_DATA)).get("choices", ())


def sentiment_in(text: str) -> object:
    """What an answer in JSON says of it; None: the answer is no JSON, or says nothing of it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found.get("sentiment") if isinstance(found, dict) else None
