"""HTTP with the standard library: a verb of the CLI asks once or twice, and a larger client takes longer to import.

Proxies are those of the environment (`https_proxy`, `no_proxy`). A redirect is an answer and not followed: it would
carry the token to somebody else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from socket import gaierror
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

IN_A_PATH = "/:@!$&'()*+,;=~"
"""Characters that stand for themselves there."""


class NotSent(OSError):
    """Nobody listens there: the request had no effect."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Http:
    """Requests to one base URL."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout: float) -> None:
        self._url = url.rstrip("/")
        self._headers = headers
        self._timeout = timeout
        self._opener = build_opener(_NoRedirects)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        patience: float = 0,
    ) -> Answer:
        """Raises OSError or HTTPException when no whole answer came, ValueError for what is no request."""
        if urlsplit(self._url).scheme not in ("http", "https"):
            raise ValueError(f"{self._url!r}: expected http:// or https://")
        asked = Request(self._at(path, params), content, {**self._headers, **(headers or {})}, method=method)
        try:
            with self._opener.open(asked, timeout=self._timeout + patience) as answer:
                return Answer(answer.status, answer.read())
        except HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.read())
        except URLError as error:
            if isinstance(error.reason, ConnectionRefusedError | gaierror):
                raise NotSent(str(error.reason)) from error
            raise

    def _at(self, path: str, params: Mapping[str, Any] | None) -> str:
        query = urlencode({key: value for key, value in (params or {}).items() if value is not None}, doseq=True)
        return self._url + quote(path, safe=IN_A_PATH) + (f"?{query}" if query else "")


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
