"""An HTTP client that never gives up early and sends many a POST again, under the same Idempotency-Key."""

import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx

from tests.trials.chaos.ledger import Ledger

PATIENCE = 150.0
"""Longer than the longest fault and everything's start after it."""
PAUSE = 0.3
PASSING = {502, 503, 504}


class GaveUp(Exception):
    """Nobody answered for longer than any fault lasts."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    text: str
    etag: str | None

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300


class Caller:
    """One user. `repeats` is the share of writes that are sent again after their answer, or twice at once."""

    def __init__(self, url: str, token: str, ledger: Ledger, dice: random.Random, repeats: float) -> None:
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        self._ledger, self._dice, self._repeats = ledger, dice, repeats

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Answer:
        return self._until_answered("GET", path, params=params)

    def items(self, path: str, **params: Any) -> list[Any]:
        """Every item of every page."""
        items: list[Any] = []
        cursor = None
        while True:
            page = self.get(path, limit=200, **params, **({"cursor": cursor} if cursor else {}))
            if not page.good:
                raise AssertionError(f"GET {path}: {page.status} {page.text}")
            items += page.body["items"]
            cursor = page.body["next"]
            if cursor is None:
                return items

    def write(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, content: str = ""
    ) -> Answer:
        """Whatever becomes of it: of a refusal, the caller decides what it means."""
        key = str(UUID(int=self._dice.getrandbits(128), version=4))
        twice, again = self._dice.random() < self._repeats / 2, self._dice.random() < self._repeats
        sent: dict[str, Any] = {"headers": {"Idempotency-Key": key, **(headers or {})}}
        sent |= {"content": content} if content else {"json": body}
        answers = self._send(method, path, sent, 2 if twice else 1)
        good = [answer for answer in answers if answer.good]
        if good and again:
            good += self._send(method, path, sent, 1)
        answer = good[0] if good else answers[0]
        if good:
            self._ledger.note_answers(f"{method} {path}", key, ((one.status, one.text) for one in good))
        return answer

    def post(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.write("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> Answer:
        return self.write("PUT", path, body, **more)

    def _send(self, method: str, path: str, sent: dict[str, Any], times: int) -> "list[Answer]":
        if times == 1:
            return [self._until_answered(method, path, **sent)]
        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(lambda _: self._until_answered(method, path, **sent), range(times)))

    def _until_answered(self, method: str, path: str, **request: Any) -> Answer:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                response = self._http.request(method, path, **request)
                if response.status_code not in PASSING:
                    return self._read(method, path, response)
                last = f"{response.status_code} {response.text[:200]}"
            except httpx.TransportError as error:
                last = type(error).__name__
            if time.monotonic() > deadline:
                raise GaveUp(f"{method} {path}: nobody answered in {PATIENCE:.0f} s (last: {last})")
            time.sleep(PAUSE)

    def _read(self, method: str, path: str, response: httpx.Response) -> Answer:
        text = response.text
        if response.status_code >= 500:
            self._ledger.note("oddities", f"{method} {path}: {response.status_code} {text[:300]}")
        body = response.json() if "json" in response.headers.get("content-type", "") else None
        return Answer(response.status_code, body, text, response.headers.get("etag"))
