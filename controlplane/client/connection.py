"""One HTTP connection to the API: typed answers, one exception, retries that have their effect once."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from pydantic import TypeAdapter

from controlplane.errors import GraftworkError
from schemas.views.pages import Page

T = TypeVar("T")
Document = Mapping[str, Any]
WAITS = (0.2, 0.4, 0.8, 1.6)
"""Seconds before each repeat."""


class ApiError(GraftworkError):
    """The API refused that"""

    def __init__(self, status: int, slug: str, title: str, detail: str, field: str | None = None) -> None:
        super().__init__(detail, field=field)
        self.code = status
        self.problem = slug
        self.heading = title

    def __str__(self) -> str:
        return f"{self.heading}: {self.field + ': ' if self.field else ''}{self.detail}"


class Unreachable(GraftworkError):
    """No API answered"""


class Connection:
    """One API and one token. Whatever changes something carries an Idempotency-Key: a retry has its effect once."""

    def __init__(self, url: str, token: str | None, timeout: float) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self._url = url

    def close(self) -> None:
        self._http.close()

    def get(self, answer: type[T], path: str, params: Document | None = None, patience: float = 0) -> T:
        return self.send(answer, "GET", path, params=params, timeout=30 + patience)

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
        return TypeAdapter(answer).validate_json(self.ask(method, path, **request).content)

    def ask(self, method: str, path: str, *, repeatable: bool = True, **request: Any) -> httpx.Response:
        """The answer, once it is a good one. Raises ApiError with what the API said, or Unreachable.

        `repeatable=False` where no stored answer makes a repeat harmless: then an answer that was lost stays lost.
        """
        headers = {**(request.pop("headers", None) or {})}
        if method != "GET":
            headers["Idempotency-Key"] = str(uuid4())
        response = self._answer(
            httpx.TransportError if repeatable else httpx.ConnectError, method, path, headers=headers, **request
        )
        if not response.is_success:
            raise _problem(response)
        return response

    def _answer(self, passing: type[httpx.TransportError], method: str, path: str, **request: Any) -> httpx.Response:
        """Asks again after 503 and after what passes: a GET changes nothing and the rest carries a key."""
        for wait in (*WAITS, None):
            try:
                response = self._http.request(method, path, **request)
                if response.status_code != 503 or wait is None:
                    return response
            except (httpx.TransportError, httpx.InvalidURL) as error:
                if wait is None or not isinstance(error, passing) or isinstance(error, httpx.UnsupportedProtocol):
                    raise Unreachable(f"{self._url} does not answer ({type(error).__name__})") from error
            time.sleep(wait)
        raise AssertionError("the last attempt returns or raises")


def until(look: Callable[[], T], final: tuple[str, ...], seconds: float, seen: Callable[[T], None] | None) -> T:
    """Look until the thing's phase is a final one, telling `seen` each time. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if seen:
            seen(found)
        if getattr(found, "phase", None) in final:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"it had not ended after {seconds:.0f} s")
        time.sleep(0.3)


def _problem(response: httpx.Response) -> ApiError:
    try:
        body = response.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    slug = str(body.get("type", "")).rsplit("/", 1)[-1] or "http"
    title = body.get("title") or f"HTTP {response.status_code}"
    return ApiError(response.status_code, slug, title, body.get("detail", ""), body.get("field"))
