"""Requests to the API, over connections that are kept: typed answers, one exception, retries with one effect."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Set
from http.client import HTTPException
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import ConfigDict, TypeAdapter

from controlplane.client.http import Answer, Http, NotSent, server_of
from controlplane.errors import GraftworkError, Invalid
from schemas.views.pages import Page

T = TypeVar("T")
ANY = TypeAdapter(Any, config=ConfigDict(ser_json_inf_nan="constants"))
"""NaN stays what it is, for the API to refuse: as null it would mean that nothing was asked."""
Document = Mapping[str, Any]
WAITS = (0.2, 0.4, 0.8, 1.6)
"""Seconds before each repeat."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.3, 2.0
"""Seconds between two looks at what is waited for."""


class ApiError(GraftworkError):
    """The API refused that"""

    asked: str = ""
    """The address of the API that refused."""

    def __init__(self, status: int, slug: str, title: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.code = status
        self.problem = slug
        self.heading = title

    def __str__(self) -> str:
        return f"{self.heading}: {self.in_words}"


class Unreachable(GraftworkError):
    """No API answered"""


class Connection:
    """One API and one token. Whatever changes something carries an Idempotency-Key: a retry has its effect once."""

    def __init__(self, url: str, token: str | None, timeout: float) -> None:
        """Raises Invalid for a URL that names no server."""
        try:
            server_of(url)
        except ValueError as error:
            raise Invalid(f"api_url: {error}", field="api_url") from None
        self._http = Http(url, {"Authorization": f"Bearer {token}"} if token else {}, timeout)
        self._url = url

    def close(self) -> None:
        self._http.close()

    def get(self, answer: type[T], path: str, params: Document | None = None, patience: float = 0) -> T:
        return self.send(answer, "GET", path, params=params, patience=patience)

    def post(self, answer: type[T], path: str, body: Document | None = None) -> T:
        return self.send(answer, "POST", path, json=body)

    def pages(self, item: type[T], path: str, filters: Document | None = None) -> Iterator[T]:
        params = {key: str(value) for key, value in (filters or {}).items() if value is not None}
        while True:
            page = self.get(Page[item], path, params)  # type: ignore[valid-type]
            yield from page.items
            if page.next is None:
                return
            params["cursor"] = page.next

    def send(self, answer: type[T], method: str, path: str, **request: Any) -> T:
        return TypeAdapter(answer).validate_json(self.ask(method, path, **request).body)

    def ask(self, method: str, path: str, *, repeatable: bool = True, **request: Any) -> Answer:
        """The answer, once it is a good one. Raises ApiError with what the API said, or Unreachable.

        `repeatable=False` where no stored answer makes a repeat harmless: then an answer that was lost stays lost.
        """
        _refuse_nameless(path)
        headers = {**(request.pop("headers", None) or {})}
        if method != "GET":
            headers["Idempotency-Key"] = str(uuid4())
        if (document := request.pop("json", None)) is not None:
            headers["Content-Type"] = "application/json"
            request["content"] = ANY.dump_json(document)
        passing = (OSError, HTTPException) if repeatable else (NotSent,)
        if not repeatable:
            self._http.close()  # one that the other side is about to close would lose the request
        answer = self._answer(passing, method, path, headers=headers, **request)
        if not answer.is_success:
            problem = _problem(answer)
            problem.asked = self._url
            raise problem
        return answer

    def _answer(self, passing: tuple[type[Exception], ...], method: str, path: str, **request: Any) -> Answer:
        """Asks again after 503 and after what passes: a GET changes nothing and the rest carries a key."""
        for wait in (*WAITS, None):
            try:
                answer = self._http.request(method, path, **request)
                if answer.status != 503 or wait is None:
                    return answer
            except (OSError, HTTPException, ValueError) as error:
                if wait is None or isinstance(error, ValueError) or not isinstance(error, passing):
                    raise Unreachable(f"{self._url} does not answer ({type(error).__name__})") from error
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")


def _refuse_nameless(path: str) -> None:
    """Without a name the path is another route's, or nobody's."""
    noun, *parts = path.removeprefix("/v1/").split("/")
    for part in parts:
        if not part or part.startswith(":"):
            raise Invalid(f"{noun}: expected a name or an id, got ''", field=noun)


def until(look: Callable[[], T], final: Set[str], seconds: float, seen: Callable[[T], None] | None) -> T:
    """Look until the thing's phase is a final one, telling `seen` each time. Raises TimeoutError."""
    began = time.monotonic()
    while True:
        found = look()
        if seen:
            seen(found)
        if getattr(found, "phase", None) in final:
            return found
        if (waited := time.monotonic() - began) > seconds:
            raise TimeoutError(f"it had not ended after {seconds:.0f} s")
        time.sleep(pause(waited))


def pause(waited: float) -> float:
    """Until the next look: what has taken long is asked for less often, and its end seen a twentieth late at most."""
    return min(LONGEST_PAUSE, max(SHORTEST_PAUSE, waited / 20))


def _problem(answer: Answer) -> ApiError:
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    slug = str(body.get("type", "")).rsplit("/", 1)[-1] or "http"
    title = body.get("title") or f"HTTP {answer.status}"
    return ApiError(answer.status, slug, title, body.get("detail", ""), body.get("field"))
