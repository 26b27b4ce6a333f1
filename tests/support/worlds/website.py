"""The API and the web UI on sockets of this process, and people signed in to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx

from controlplane.ui.app import UI
from schemas.roles import Role
from tests.support.http_server import serving
from tests.support.worlds.in_process import InProcess


class Website:
    """`url` is the UI's; `site` is what stands behind it."""

    def __init__(self, site: InProcess, url: str, ui: UI) -> None:
        self.site = site
        self.url = url
        self.ui = ui
        self._visitors: list[Visitor] = []

    def visitor(self, **cookies: str) -> "Visitor":
        """Nobody yet, or whoever has these cookies."""
        self._visitors.append(Visitor(self.url, cookies))
        return self._visitors[-1]

    def close(self) -> None:
        for one in self._visitors:
            one.close()

    def sign_in(self, role: Role) -> "Visitor":
        visitor = self.visitor()
        answer = visitor.post("/sign-in", token=self.site.tokens[role])
        assert answer.status_code == 303, answer.text
        return visitor


class Visitor(httpx.Client):
    """A browser without a script: keeps cookies, and fills in forms that stand on pages."""

    def __init__(self, url: str, cookies: dict[str, str]) -> None:
        super().__init__(base_url=url, timeout=30, cookies=cookies)

    def page(self, path: str) -> "Shown":
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
        return Shown(answer.text)

    def post(self, path: str, **fields: str) -> httpx.Response:  # type: ignore[override]
        return super().post(path, data=fields, follow_redirects=False)

    def press(self, path: str, action: str, **typed: str) -> httpx.Response:
        """Fill in and send the form of that address on a page."""
        [form] = [one for one in self.page(path).forms if one["action"] == action]
        return self.post(action, **{**form["fields"], **typed})

    def twin(self, path: str) -> Any:
        """The page's JSON."""
        answer = self.get(httpx.URL(path).copy_merge_params({"format": "json"}))
        assert answer.status_code == 200, answer.text
        return answer.json()


class Shown(HTMLParser):
    """What stands on a page: its forms, links, headings, ids, and every word."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.html = html
        self.forms: list[dict[str, Any]] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "form":
            self.forms.append({"action": given.get("action", ""), "method": given.get("method", ""), "fields": {}})
        if tag in ("input", "textarea") and self.forms and "name" in given:
            self.forms[-1]["fields"][given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        self.words += data

    @property
    def actions(self) -> list[str]:
        """Where its forms are sent."""
        return [one["action"] for one in self.forms if one["method"] == "post"]


@contextmanager
def website(site: InProcess, sessions: Path, port: int = 0) -> Iterator[Website]:
    """`port`: the API's."""
    with serving(site.app, port) as api, site_of(site, api, sessions) as found:
        yield found


@contextmanager
def site_of(site: InProcess, api: str, sessions: Path, port: int = 0) -> Iterator[Website]:
    """The UI alone, on a port of its own, of an API that may be away."""
    ui = UI(api, sessions)
    with serving(ui.app(), port) as url:
        found = Website(site, url, ui)
        try:
            yield found
        finally:
            found.close()
