"""One kept-alive HTTP connection that costs its caller little: a heavy client would hide what servers differ in."""

import json
import time
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

IDLE_SECONDS: Final = 1.0
"""Servers hang up on a connection that is silent for some seconds."""


class Connection:
    """Asks, waits and reads the whole answer; fails on anything but a success."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._used = time.monotonic()
        self._headers = {"content-type": "application/json", **(headers or {})}

    def get(self, path: str, params: dict[str, str] | None = None) -> Any:
        return self._ask("GET", path + (f"?{urlencode(params)}" if params else ""))[1]

    def post(self, path: str, body: object) -> Any:
        return self._ask("POST", path, body)[1]

    def put(self, path: str, body: object, headers: dict[str, str]) -> HTTPResponse:
        """For its headers."""
        return self._ask("PUT", path, body, headers)[0]

    def close(self) -> None:
        self._connection.close()

    def _ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[HTTPResponse, Any]:
        content = None if body is None else json.dumps(body)
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()  # the server may have; it is opened again by itself
        self._used = time.monotonic()
        self._connection.request(method, path, content, self._headers | (headers or {}))
        response = self._connection.getresponse()
        text = response.read()
        assert response.status < 300, f"{method} {path}: {response.status} {text.decode(errors='replace')}"
        return response, json.loads(text or b"null")
