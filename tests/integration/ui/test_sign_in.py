"""Signing in, and what a browser, another site or a thief can make of it."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.support.worlds.website import Website, website


def test_a_stranger_is_sent_to_sign_in_and_back(web: Website) -> None:
    visitor = web.visitor()
    answer = visitor.get("/deployments/reviews?at=2099-01-01T00:00:00Z")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/deployments/reviews%3Fat%3D2099-01-01T00%3A00%3A00Z"
    back = visitor.post(
        "/sign-in", token=web.site.tokens["viewer"], next="/deployments/reviews?at=2099-01-01T00:00:00Z"
    )
    assert back.headers["location"] == "/deployments/reviews?at=2099-01-01T00:00:00Z"


def test_a_wrong_token_opens_nothing_and_is_not_shown_again(web: Website) -> None:
    visitor = web.visitor()
    answer = visitor.post("/sign-in", token="gw_not-a-token")
    assert answer.status_code == 401
    assert "gw_not-a-token" not in answer.text
    assert not visitor.cookies


def test_a_worker_has_nothing_to_look_at(web: Website) -> None:
    answer = web.visitor().post("/sign-in", token=web.site.tokens["worker"])
    assert answer.status_code == 403
    assert "sign in as a viewer" in answer.text


def test_the_cookie_is_the_servers_alone(web: Website) -> None:
    answer = web.visitor().post("/sign-in", token=web.site.tokens["viewer"])
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert web.site.tokens["viewer"] not in cookie


def test_over_tls_no_other_host_can_set_the_cookie(web: Website) -> None:
    with TestClient(web.ui.app(), base_url="https://graftwork.example") as browser:
        answer = browser.post("/sign-in", data={"token": web.site.tokens["viewer"]}, follow_redirects=False)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-graftwork=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert browser.get("/", follow_redirects=False).status_code == 200


def test_the_token_never_reaches_the_browser(web: Website) -> None:
    viewer = web.sign_in("viewer")
    for path in ("/", "/deployments/reviews", "/events"):
        assert web.site.tokens["viewer"] not in viewer.page(path).html


def test_signing_out_ends_it_on_the_server(web: Website) -> None:
    viewer = web.sign_in("viewer")
    kept = dict(viewer.cookies)
    assert viewer.press("/", "/sign-out").headers["location"] == "/sign-in"
    thief = web.visitor(**kept)
    assert thief.get("/").status_code == 303


def test_signing_in_makes_a_new_session_whatever_cookie_there_was(web: Website) -> None:
    """A cookie that somebody planted before is worth nothing after."""
    planted = web.visitor(graftwork="planted")
    first = planted.post("/sign-in", token=web.site.tokens["viewer"]).cookies["graftwork"]
    assert web.visitor(graftwork="planted").get("/").status_code == 303
    second = web.visitor(graftwork=first).post("/sign-in", token=web.site.tokens["operator"]).cookies["graftwork"]
    assert second not in ("planted", first)
    assert web.visitor(graftwork=first).get("/").status_code == 303
    assert web.visitor(graftwork=second).get("/").status_code == 200


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\\..\\b",
        "/x\r\nSet-Cookie: a=b",
    ],
)
def test_no_link_leads_to_another_site(web: Website, wanted: str) -> None:
    answer = web.visitor().post("/sign-in", token=web.site.tokens["viewer"], next=wanted)
    assert answer.headers["location"] == "/"


def test_a_revoked_token_signs_its_person_out(web: Website) -> None:
    viewer = web.sign_in("viewer")
    admin = web.site.client("admin")
    [token] = [one for one in admin.get("/v1/tokens").json() if one["name"] == "viewer"]
    admin.delete(f"/v1/tokens/{token['id']}")
    assert viewer.get("/").headers["location"].startswith("/sign-in")


def test_a_session_outlives_the_ui(web: Website, tmp_path: Path) -> None:
    viewer = web.sign_in("viewer")
    with website(web.site, tmp_path / "ui-sessions") as another:
        again = another.visitor(**dict(viewer.cookies))
        assert again.get("/").status_code == 200


def test_what_is_kept_is_its_owners_and_opens_nothing_by_itself(web: Website, tmp_path: Path) -> None:
    viewer = web.sign_in("viewer")
    [file] = (tmp_path / "ui-sessions").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert viewer.cookies["graftwork"] not in file.name + file.read_text()
    assert web.visitor(graftwork=file.stem).get("/").status_code == 303
