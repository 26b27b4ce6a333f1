"""Tokens as a page: for admins alone, without a secret, but for the one that was just made."""

import logging
import re
from pathlib import Path

import pytest

from controlplane.client import Client, Unreachable
from schemas.roles import Role
from tests.support.worlds.in_process import ROLES, InProcess
from tests.support.worlds.website import Visitor, Website

HOSTILE = '"><script>alert(1)</script>{{ 7*7 }}'
READERS: tuple[Role, ...] = ("viewer", "operator", "releaser", "auditor")


@pytest.fixture
def admin(web: Website) -> Visitor:
    return web.sign_in("admin")


def token_of(site: InProcess, name: str) -> str:
    [found] = [one for one in site.client("admin").get("/v1/tokens").json() if one["name"] == name]
    return str(found["id"])


def test_an_admin_sees_whose_they_are_and_no_secret(admin: Visitor, site: InProcess) -> None:
    assert "/tokens" in admin.page("/").links
    shown, twin = admin.page("/tokens"), admin.get("/tokens?format=json").text
    for role in ROLES:
        assert role in shown.words
    assert "yours: you are signed in with it" in shown.words
    for text in (shown.html, twin):
        assert "gw_" not in text
        assert "hash" not in text


@pytest.mark.parametrize("role", READERS)
def test_nobody_else_sees_the_page_or_a_link_to_it(web: Website, role: Role) -> None:
    visitor = web.sign_in(role)
    assert "/tokens" not in visitor.page("/").links
    for path in ("/tokens", "/tokens?format=json", "/live/tokens"):
        answer = visitor.get(path)
        assert answer.status_code == 403
        assert "this page is for the role admin" in answer.text
    assert "You may not" in visitor.get("/tokens").text


def test_nobody_else_makes_or_revokes_one_without_the_page(web: Website, site: InProcess) -> None:
    releaser = web.sign_in("releaser")
    form_key = releaser.page("/").forms[0]["fields"]["form_key"]
    before = len(site.client("admin").get("/v1/tokens").json())
    assert releaser.post("/tokens", name="me", role="admin", form_key=form_key).status_code == 403
    path = f"/tokens/{token_of(site, 'viewer')}/revoke"
    assert releaser.post(path, form_key=form_key).status_code == 403
    found = site.client("admin").get("/v1/tokens").json()
    assert len(found) == before
    assert not any(one["revoked_at"] for one in found)


def test_a_form_without_this_sessions_key_makes_nothing(admin: Visitor, site: InProcess) -> None:
    before = len(site.client("admin").get("/v1/tokens").json())
    assert admin.post("/tokens", name="x", role="admin", form_key="x").status_code == 403
    assert admin.post(f"/tokens/{token_of(site, 'viewer')}/revoke", form_key="x").status_code == 403
    assert admin.post("/tokens/create", name="x", role="admin").status_code in (404, 405)
    assert len(site.client("admin").get("/v1/tokens").json()) == before


def test_a_new_token_is_shown_once_and_kept_nowhere(
    admin: Visitor, site: InProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = admin.press("/tokens", "/tokens", name="the night shift", role="operator")
    [token] = re.findall(r"gw_[\w-]{20,}", answer.text)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert token not in str(answer.url) + str(answer.headers)
    assert token not in caplog.text
    assert all(token not in file.read_text() for file in (tmp_path / "ui-sessions").iterdir())
    for path in ("/tokens", "/tokens?format=json", "/"):
        assert token not in admin.get(path).text
    assert "the night shift" in admin.page("/tokens").words
    caller = site.client(None).get("/v1/caller", headers={"authorization": f"Bearer {token}"}).json()
    assert (caller["name"], caller["role"]) == ("the night shift", "operator")


def test_one_that_is_revoked_opens_nothing(admin: Visitor, web: Website, site: InProcess) -> None:
    viewer = web.sign_in("viewer")
    path = f"/tokens/{token_of(site, 'viewer')}/revoke"
    assert admin.press("/tokens", path).headers["location"] == "/tokens"
    assert viewer.get("/").headers["location"].startswith("/sign-in")
    shown = admin.page("/tokens")
    assert path not in shown.actions
    assert "revoked" in shown.words


def test_an_admin_who_revokes_their_own_is_signed_out(admin: Visitor, site: InProcess) -> None:
    admin.press("/tokens", f"/tokens/{token_of(site, 'admin')}/revoke")
    assert admin.get("/tokens").headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("typed", [{"name": "", "role": "viewer"}, {"name": "x", "role": "king"}])
def test_what_is_refused_is_shown_with_what_was_typed(admin: Visitor, typed: dict[str, str]) -> None:
    answer = admin.press("/tokens", "/tokens", **typed)
    assert answer.status_code == 422
    assert "Make a token: not done" in answer.text
    assert "gw_" not in answer.text


def test_the_role_that_was_chosen_stays_chosen(admin: Visitor) -> None:
    answer = admin.press("/tokens", "/tokens", name="n" * 101, role="auditor")
    assert answer.status_code == 422
    assert "<option selected>auditor</option>" in answer.text


def test_an_answer_that_was_lost_is_not_called_unsent(
    admin: Visitor, site: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(client: Client, name: str, role: Role) -> None:
        raise Unreachable("it does not answer")

    form = admin.page("/tokens").forms[1]["fields"]
    monkeypatch.setattr(Client, "create_token", lost)
    answer = admin.post("/tokens", **{**form, "name": "x", "role": "viewer"})
    assert answer.status_code == 503
    assert "it may have been made: look first" in answer.text


def test_a_name_is_text(admin: Visitor) -> None:
    answer = admin.press("/tokens", "/tokens", name=HOSTILE, role="viewer")
    shown = admin.page("/tokens")
    assert "<script>alert" not in answer.text + shown.html
    assert HOSTILE in shown.words
