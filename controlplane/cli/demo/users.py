"""Users of the demo: each asks a version at the gateway, and says afterwards whether it was right."""

import json
from collections.abc import Iterator
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
    right: bool


class User(Protocol):
    def ask(self, question: str, right: str) -> Heard:
        """One question and its feedback. Raises httpx.HTTPError where no answer came."""
        ...


class Labeller:
    """Asks for a text's label, and says which one is right."""

    def __init__(self, gateway: httpx.Client, api: httpx.Client) -> None:
        self._gateway, self._api = gateway, api

    def ask(self, question: str, right: str) -> Heard:
        answer = self._gateway.post("/v1/predict", json={"texts": [question]})
        answer.raise_for_status()
        prediction = answer.json()["predictions"][0]
        _tell(self._api, prediction["prediction_id"], right)
        return Heard(answer.headers["x-variant"], prediction["label"] == right)


class Reader:
    """Asks for a text, reads it as it is written, and says whether it is good: JSON with the right sentiment."""

    def __init__(self, gateway: httpx.Client, api: httpx.Client) -> None:
        self._gateway, self._api = gateway, api

    def ask(self, question: str, right: str) -> Heard:
        asked = {"prompt": question, "max_tokens": MAX_TOKENS, "temperature": 0, "stream": True}
        text, prediction = "", ""
        with self._gateway.stream("POST", "/v1/completions", json=asked) as answer:
            answer.raise_for_status()
            for chunk in _chunks(answer):
                text += "".join(choice["text"] for choice in chunk["choices"])
                prediction = chunk.get("prediction_id") or prediction
        if not prediction:
            raise httpx.RemoteProtocolError("a stream ended before its answer did")
        is_good = sentiment_in(text) == sentiment_in(right)
        _tell(self._api, prediction, "good" if is_good else "bad")
        return Heard(answer.headers["x-variant"], is_good)


def _tell(api: httpx.Client, prediction_id: str, label: str) -> None:
    api.post("/v1/feedback", json={"prediction_id": prediction_id, "label": label}).raise_for_status()


def _chunks(answer: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream, as OpenAI's servers write them."""
    for line in answer.iter_lines():
        if line.startswith(_DATA) and line != _DATA + _DONE:
            yield json.loads(line.removeprefix(_DATA))


def sentiment_in(text: str) -> object:
    """What an answer in JSON says of it; None: the answer is no JSON, or says nothing of it."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found.get("sentiment") if isinstance(found, dict) else None
