"""Pages in a real Chromium: live, by keyboard, without a script, light and dark, narrow and wide, and accessible."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlmodel import col, select

from controlplane.store.tables import ModelVersionRow
from schemas.roles import Role
from tests.support.answers import ok
from tests.support.browser import browser, chromium
from tests.support.builders.datasets import DATASET
from tests.support.builders.planted import plant_job, plant_version
from tests.support.http_server import serving
from tests.support.ports import free_ports
from tests.support.scripted_gateway import Gateway
from tests.support.triggers import PIPELINE, send, trigger
from tests.support.worlds.in_process import InProcess
from tests.support.worlds.website import Website, site_of

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)
WIDEST = """[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .filter(e => !e.closest(".wide, pre")).map(e => e.outerHTML.slice(0, 120))"""
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1440, "height": 900}


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    if (executable := chromium()) is None:
        pytest.skip("NOT RUN ON BROWSER: no chromium on the path (apt-get install chromium)")
    with browser(executable) as found:
        yield found


@pytest.fixture
def context(opened: Browser) -> Iterator[BrowserContext]:
    made = opened.new_context()
    yield made
    made.close()


@pytest.fixture
def shown(site: InProcess, canary: dict[str, Any]) -> dict[str, Any]:
    """A canary, whose version was made of others and of data, and a trigger that fired and did not."""
    ok(site.client("operator").put("/v1/pipelines/nightly", json=PIPELINE))
    trigger(site, where={"data.bucket": "reviews"})
    send(site, "1", data={"uri": "file:///a.csv", "bucket": "another"})
    send(site, "2", data={"uri": "file:///a.csv", "bucket": "reviews"})
    site.dataset("reviews", 1, DATASET)
    with site.database.begin("test") as uow:
        first, second = uow.session.exec(select(ModelVersionRow).order_by(col(ModelVersionRow.version))).all()
        parents = [plant_version(uow, plant_job(uow), number, datasets=[str(DATASET)]) for number in range(3, 9)]
        parents[0].parents = [str(second.id)]
        first.parents = [str(one.id) for one in parents]
    return canary


def signed_in(web: Website, context: BrowserContext, role: Role) -> Page:
    page = context.new_page()
    page.goto(web.url)
    page.get_by_label("Token").fill(web.site.tokens[role])
    page.get_by_role("button", name="Sign in").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fleet")
    return page


def test_a_person_watches_a_canary_climb_without_reloading(
    web: Website, context: BrowserContext, site: InProcess, gateway: Gateway, canary: dict[str, Any]
) -> None:
    page = signed_in(web, context, "viewer")
    page.goto(f"{web.url}/rollouts/{canary['id']}")
    page.evaluate("window.here = 'since the beginning'")
    expect(page.locator(".ladder .now")).to_have_text("10 %")
    while site.rollout(canary["id"])["step"] < 2:
        gateway.observe(100)
        site.turn()
        gateway.report()
    expect(page.locator(".ladder .now")).to_have_text("50 %")
    while not site.rollout(canary["id"])["finished_at"]:
        gateway.observe(100)
        site.turn()
        gateway.report()
    expect(page.locator("#state .badge").first).to_have_text("Promoted")
    assert page.evaluate("window.here") == "since the beginning"


def test_a_person_pauses_and_resumes_by_keyboard_alone(
    web: Website, context: BrowserContext, site: InProcess, canary: dict[str, Any]
) -> None:
    page = signed_in(web, context, "operator")
    page.goto(f"{web.url}/rollouts/{canary['id']}")
    for verb, phase in (("Pause", "Paused"), ("Resume", "Progressing")):
        page.locator("summary", has_text=verb).focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type(f"{verb} by keyboard")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#state .badge").first).to_have_text(phase)
        assert site.rollout(canary["id"])["phase"] == phase


def test_what_is_being_typed_survives_news_and_a_silent_ui(
    web: Website, context: BrowserContext, site: InProcess, gateway: Gateway, canary: dict[str, Any]
) -> None:
    page = signed_in(web, context, "operator")
    page.goto(f"{web.url}/rollouts/{canary['id']}")
    page.locator("summary", has_text="Abort").click()
    reason = page.locator(".action[open] textarea")
    reason.fill("a long reason")
    points = page.locator("#evidence tbody tr")
    before = points.count()
    gateway.observe(400)
    site.turn()
    expect(points).not_to_have_count(before, timeout=15_000)
    expect(reason).to_have_value("a long reason")
    context.set_offline(True)
    page.get_by_role("button", name="Abort: yes").click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(reason).to_have_value("a long reason")
    context.set_offline(False)
    page.get_by_role("button", name="Abort: yes").click()
    expect(page.locator("#state .badge").first).to_have_text("Aborted")


def test_a_ui_that_ends_is_said_and_what_is_typed_survives_its_return(
    context: BrowserContext, site: InProcess, gateway: Gateway, canary: dict[str, Any], tmp_path: Path
) -> None:
    [port] = free_ports(1)
    sessions = tmp_path / "ui-sessions"
    with serving(site.app) as api:
        with site_of(site, api, sessions, port) as web:
            page = signed_in(web, context, "operator")
            page.goto(f"{web.url}/rollouts/{canary['id']}")
            page.locator("summary", has_text="Abort").click()
            page.locator(".action[open] textarea").fill("a long reason")
        away = page.get_by_text("does not answer")
        expect(away).to_be_visible()
        gateway.observe(100)
        site.turn()
        with site_of(site, api, sessions, port):
            expect(away).to_be_hidden()
            expect(page.locator(".action[open] textarea")).to_have_value("a long reason")
            page.get_by_role("button", name="Abort: yes").click()
            expect(page.locator("#state .badge").first).to_have_text("Aborted")


def test_no_page_says_anything_to_the_console_or_to_others(
    web: Website, context: BrowserContext, shown: dict[str, Any]
) -> None:
    page = signed_in(web, context, "admin")
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    for path in paths(shown)[:-1]:  # a page that there is not says so to the console
        page.goto(web.url + path)
        page.wait_for_timeout(300)
    assert said == []
    assert all(one.startswith(web.url) for one in asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["360 px", "wide"])
def test_every_page_is_accessible(web: Website, opened: Browser, shown: dict[str, Any], scheme: Any, size: Any) -> None:
    context = opened.new_context(color_scheme=scheme, viewport=size)
    page = context.new_page()
    page.goto(f"{web.url}/sign-in")
    found = {"/sign-in": violations(page)}
    page = signed_in(web, context, "admin")
    for path in paths(shown):
        page.goto(web.url + path)
        for summary in page.locator("summary").all():
            summary.click()
        found[path] = violations(page)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], (path, wide, page.evaluate(WIDEST))
    assert {path: told for path, told in found.items() if told} == {}
    context.close()


def test_every_page_works_without_a_script(
    web: Website, opened: Browser, site: InProcess, shown: dict[str, Any]
) -> None:
    context = opened.new_context(java_script_enabled=False)
    page = signed_in(web, context, "operator")
    for path in paths(shown, "operator"):
        page.goto(web.url + path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.goto(f"{web.url}/rollouts/{shown['id']}")
    page.locator("summary", has_text="Pause").click()
    page.locator(".action[open] textarea").fill("without a script")
    page.get_by_role("button", name="Pause: yes").click()
    expect(page.locator("#state .badge").first).to_have_text("Paused")
    context.close()


def paths(canary: dict[str, Any], role: Role = "admin") -> list[str]:
    rollout = f"/rollouts/{canary['id']}"
    return [
        "/",
        "/deployments/reviews",
        rollout,
        "/models/sentiment/1",
        "/datasets",
        "/datasets/reviews",
        "/datasets/reviews/1",
        "/runs",
        "/triggers",
        "/triggers/on-batch",
        "/events",
        "/dead-letters",
        *(("/tokens",) if role == "admin" else ()),
        "/nothing",
    ]


def violations(page: Page) -> list[str]:
    results = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]})
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in results.response["violations"]]
