"""A page that was saved as one file: whole, safe, and asking nobody for anything."""

import re
from typing import Any

import pytest

from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Shown, Website

SCRIPT = '"><script>alert(1)</script>'


@pytest.fixture
def report(web: Website, site: InProcess, canary: dict[str, Any]) -> str:
    """Of a rollout that somebody paused with a hostile reason."""
    operator = web.sign_in("operator")
    site.client("operator").post(f"/v1/rollouts/{canary['id']}:pause", json={"reason": SCRIPT})
    answer = operator.get(f"/rollouts/{canary['id']}?format=report")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"].startswith("attachment; ")
    return answer.text


def test_it_asks_nobody_for_anything_and_does_nothing(report: str) -> None:
    assert "<script" not in report
    assert "<form" not in report
    assert "<link" not in report
    assert not re.search(r" (src|integrity|hx-[a-z:]+)=", report)
    assert "@import" not in report
    assert "url(" not in report


def test_it_shows_what_the_page_shows(report: str, canary: dict[str, Any]) -> None:
    shown = Shown(report)
    assert shown.tags.count("h1") == 1
    assert SCRIPT in shown.words
    assert "<polyline" in report
    assert "<details open>" in report
    assert "As operator saw it at" in shown.words


def test_every_page_can_be_saved(web: Website, canary: dict[str, Any]) -> None:
    viewer = web.sign_in("viewer")
    for path in ("/", "/deployments/reviews", "/models/sentiment/1", "/runs", "/events?correlation=x", "/dead-letters"):
        [link] = [one for one in viewer.page(path).links if "format=report" in one]
        assert viewer.get(link).headers["content-disposition"].startswith("attachment; "), link
        [twin] = [one for one in viewer.page(path).links if "format=json" in one]
        assert viewer.get(twin).headers["content-type"] == "application/json"
