"""HTTP with the standard library: a verb of the CLI asks once or twice, and a larger client takes longer to import.

Connections are kept and used again, by any thread. Proxies are those of the environment (`https_proxy`, `no_proxy`). A
redirect is an answer and not followed: it would carry the token to somebody else.
"""

import os
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from select import select
from socket import gaierror
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit
from weakref import finalize

from schemas.faults import CREDENTIALS

IN_A_PATH = "/:@!$&'()*+,;=~"
"""Characters that stand for themselves there."""
DEFAULT_PORTS = {"http": 80, "https": 443}


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
        self._idle: deque[HTTPConnection] = deque()
        finalize(self, _close_all, self._idle)  # also for whoever forgets to close

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
        server = server_of(self._url)
        proxy = proxy_of(server)
        asks_proxy = proxy is not None and server.scheme == "http"
        target = (self._url if asks_proxy else server.path) + _target(path, params)
        told = {**self._headers, **(headers or {}), **(_credentials(proxy) if proxy and asks_proxy else {})}
        connection = self._take() or _connected(server, proxy, self._timeout)
        try:
            connection.sock.settimeout(self._timeout + patience)
            connection.request(method, target, content, told)
            response = connection.getresponse()
            answer = Answer(response.status, response.read())
        except BaseException:
            connection.close()
            raise
        if connection.sock is not None:  # else the other side said that it closes
            self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Those that are kept: the next request opens a new one."""
        _close_all(self._idle)

    def _take(self) -> HTTPConnection | None:
        """One nobody uses, and that the other side has not closed meanwhile: then its end could be read."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            if connection.sock is not None and not select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()


def server_of(url: str) -> SplitResult:
    """Raises ValueError for what names no server."""
    server = urlsplit(url)
    try:
        is_one = server.scheme in DEFAULT_PORTS and bool(server.hostname) and server.port != 0
    except ValueError:  # its port is no number, or too large a one
        is_one = False
    if not is_one:
        raise ValueError(f"expected http:// or https:// and a host, got {CREDENTIALS.sub('://…@', url)!r}")
    return server


def _close_all(connections: deque[HTTPConnection]) -> None:
    while connections:
        connections.pop().close()


def _target(path: str, params: Mapping[str, Any] | None) -> str:
    query = urlencode({key: value for key, value in (params or {}).items() if value is not None}, doseq=True)
    return quote(path, safe=IN_A_PATH) + (f"?{query}" if query else "")


def proxy_of(server: SplitResult) -> SplitResult | None:
    """As the environment says; its reader is not imported where no variable names one."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    named = proxies.get(server.scheme) or proxies.get("all")
    if not named or proxy_bypass(server.netloc):
        return None
    return urlsplit(named if "://" in named else f"http://{named}")


def _connected(server: SplitResult, proxy: SplitResult | None, timeout: float) -> HTTPConnection:
    """Raises NotSent where nobody listens."""
    where = proxy or server
    kind = HTTPSConnection if server.scheme == "https" else HTTPConnection
    connection = kind(where.hostname or "", where.port or DEFAULT_PORTS.get(where.scheme), timeout=timeout)
    if proxy and server.scheme == "https":
        connection.set_tunnel(server.hostname or "", server.port, _credentials(proxy))
    try:
        connection.connect()
    except (ConnectionRefusedError, gaierror) as error:
        raise NotSent(str(error)) from error
    return connection


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + b64encode(pair.encode()).decode()}
