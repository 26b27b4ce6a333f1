"""What other people wrote is text, wherever it is shown; and what a browser is told about every page."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from controlplane.ui.assets import all_assets
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Visitor, Website

SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}</hx-partial>'


@pytest.fixture
def viewer(web: Website) -> Visitor:
    return web.sign_in("viewer")


def test_reasons_names_and_events_are_shown_as_text(viewer: Visitor, site: InProcess, canary: dict[str, Any]) -> None:
    person = site.person(SCRIPT[:100], "operator")
    answer = person.post(f"/v1/rollouts/{canary['id']}:pause", json={"reason": SCRIPT})
    assert answer.status_code == 200, answer.text
    event = {"specversion": "1.0", "id": SCRIPT, "source": "urn:x", "type": SCRIPT, "subject": SCRIPT, "data": SCRIPT}
    person.post("/v1/events", json=event, headers={"content-type": "application/cloudevents+json"})
    for path in ("/", f"/rollouts/{canary['id']}", "/deployments/reviews", "/events", "/dead-letters"):
        shown = viewer.page(path)
        assert "<script>alert" not in shown.html
        assert "<img" not in shown.html
        assert "49</hx-partial>" not in shown.html
    assert SCRIPT in viewer.page(f"/rollouts/{canary['id']}").words


def test_a_live_fragment_cannot_be_left_by_what_somebody_wrote(
    viewer: Visitor, site: InProcess, canary: dict[str, Any]
) -> None:
    site.client("operator").post(f"/v1/rollouts/{canary['id']}:pause", json={"reason": "a\n\nid: 9\ndata: " + SCRIPT})
    with viewer.stream("GET", f"/live/rollouts/{canary['id']}") as answer:
        first = next(part for part in answer.iter_text() if "hx-partial" in part)
    assert "<script>alert" not in first
    assert all(line.startswith(("id: ", "data: ", "event: ")) for line in first.strip().splitlines() if line)


@pytest.mark.parametrize("option", ["type", "correlation"])
def test_what_stands_in_an_address_is_text_too(viewer: Visitor, option: str) -> None:
    assert "<script>alert" not in viewer.get("/events", params={option: SCRIPT}).text
    assert "<script>alert" not in viewer.get(f"/deployments/{SCRIPT}").text


def test_every_answer_tells_the_browser_what_it_may(web: Website, viewer: Visitor) -> None:
    for path in ("/", "/sign-in", "/nothing", "/deployments/none", next(iter(all_assets().values())).path):
        headers = viewer.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert viewer.get("/").headers["cache-control"] == "no-store"


def test_no_page_holds_a_script_or_a_style_of_its_own(web: Website, canary: dict[str, Any]) -> None:
    admin = web.sign_in("admin")
    lists = ("/datasets", "/runs", "/triggers", "/events", "/dead-letters", "/tokens")
    for path in ("/", f"/rollouts/{canary['id']}", "/deployments/reviews", *lists):
        html = admin.page(path).html
        assert "<style" not in html
        assert " style=" not in html
        assert " on" not in [part[:3] for part in html.split('"')]
        for script in html.split("<script")[1:]:
            assert 'integrity="sha384-' in script.split(">")[0]
            assert script.split(">")[1].startswith("</script")


def test_a_first_visit_is_small(viewer: Visitor, canary: dict[str, Any]) -> None:
    """Everything that the browser has to fetch for one page, as it travels."""
    page = f"/rollouts/{canary['id']}"
    packed = {"accept-encoding": "gzip"}
    paths = [page, *(asset.path for asset in all_assets().values())]
    total = 0
    for path in paths:
        with viewer.stream("GET", path, headers=packed) as answer:
            total += sum(len(part) for part in answer.iter_raw())
    assert total < 150_000


def test_a_file_is_served_under_its_digest_alone(viewer: Visitor) -> None:
    asset = all_assets()["app.js"]
    answer = viewer.get(asset.path)
    assert answer.content == asset.body
    assert "immutable" in answer.headers["cache-control"]
    assert viewer.get("/assets/0000000000000000/app.js").status_code == 404
    assert viewer.get("/assets/..%2f..%2fapp.py/app.js").status_code == 404


def test_a_form_that_is_none_is_refused(web: Website, tmp_path: Path) -> None:
    operator = web.sign_in("operator")
    for body, status in ((b"\xff\xfe", 400), (b"a" * 30_000, 413), (b"&".join([b"a=1"] * 60), 400)):
        answer = httpx.post(f"{web.url}/sign-in", content=body)
        assert answer.status_code == status
    assert operator.get("/").status_code == 200
