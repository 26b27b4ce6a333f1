"""An HTTP session that reaches the package index and the hosts of its files, wherever a page or a redirect points."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import requests

from workers.runtime.errors import SourceError

FILE_HOSTS = ("files.pythonhosted.org",)
"""Where the public index keeps its files."""


class ListedSession(requests.Session):
    """Refuses a request, the first one or a redirected one, before a connection is opened for it."""

    def __init__(self, index_url: str, file_hosts: Sequence[str]) -> None:
        super().__init__()
        self._index = _place(index_url)
        self._hosts = {*FILE_HOSTS, *file_hosts}

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        place = _place(request.url or "")
        if place != self._index and not (place[0] == "https" and place[1] in self._hosts and place[2] == 443):
            hosts = ", ".join(sorted({self._index[1], *self._hosts}))
            raise SourceError(
                f"the package index leads to {place[0]}://{place[1]}:{place[2]}, which is none of its hosts: {hosts} "
                "(GRAFTWORK_PYPI_FILE_HOSTS)"
            )
        return super().send(request, **kwargs)


def _place(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; nothing of what else a URL may hold."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, parts.hostname or "", port
