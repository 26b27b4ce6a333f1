"""What a page of the web UI costs with years behind it: first paint, calls, bytes; and what many open ones ask for."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
from playwright.sync_api import Browser, BrowserContext
from sqlalchemy import insert

from controlplane.commands.spine.tokens import bootstrap_admin
from controlplane.domain.analysis.fold import Batch, fold
from controlplane.domain.analysis.state import AnalysisState, begin, enter
from controlplane.store.database import Database
from controlplane.store.serving_tables import DeploymentRow, GenerationRow, RolloutRow
from controlplane.store.tables import ModelVersionRow
from schemas.rollouts import CanaryPolicy, RolloutPolicy
from schemas.serving import ArmCounts, GenerationSecond, Observation
from tests.support.browser import browser, chromium
from tests.support.builders.planted import WHO, plant_job, plant_model, plant_version
from tests.support.missing import Missing
from tests.support.ports import free_ports
from tests.support.processes import Process
from tests.support.readiness import is_ready
from tests.support.waiting import wait_for
from tests.trials.bench.parts import Options
from tests.trials.bench.relay import commit_facts
from tests.trials.bench.report import Goal, Ratio

VERSIONS: Final = 10_000
DEPLOYMENTS: Final = 1_000
FACTS: Final = 100_000
UNDER_WAY: Final = 50
"""Rollouts in their canaries, each with a hundred blocks of evidence."""
BLOCKS: Final = 100
TOKEN: Final = "gw_bench"
WATCHED_SECONDS: Final = 20
PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
NOTE: Final = (
    f"{VERSIONS:,} versions, {DEPLOYMENTS:,} deployments, {FACTS:,} facts and {UNDER_WAY} canaries in PostgreSQL; "
    "Chromium with nothing in its cache, on the same two cores"
)


def measure(options: Options) -> list[Ratio]:
    if (executable := chromium()) is None:
        raise Missing("no chromium on the path (apt-get install chromium)")
    with options.parts.database("PostgreSQL") as database:
        planted = _fill(database, options)
        with _served(options, database) as site, browser(executable) as opened:
            found = [
                ratio
                for name, path in (("the fleet", "/"), ("a rollout", f"/rollouts/{planted[0]}"))
                for ratio in _first_visit(options, site, opened, name, path)
            ]
            return [*found, _many(options, site, opened, planted)]


@dataclass(frozen=True)
class _Site:
    url: str
    api: Process


def _first_visit(options: Options, site: _Site, opened: Browser, name: str, path: str) -> Iterator[Ratio]:
    paints, bytes_ = [], []
    for _ in range(options.rounds):
        context = opened.new_context()
        cookies = _signed_in(site, context)
        page = context.new_page()
        page.goto(site.url + path)
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        paints.append(float(page.evaluate(PAINT)))
        bytes_.append(_transferred(site, path, cookies))
        context.close()
    yield Ratio(f"{name}: first paint", "ms", tuple(paints), compare="ours", goal=Goal("at most", 1000), note=NOTE)
    yield Ratio(f"{name}: transferred", "kB", tuple(bytes_), compare="ours", goal=Goal("at most", 150), note=NOTE)


def _signed_in(site: _Site, context: BrowserContext) -> dict[str, str]:
    """As a browser that was here before, and has nothing in its cache."""
    answer = httpx.post(f"{site.url}/sign-in", data={"token": TOKEN})
    cookies = dict(answer.cookies)
    context.add_cookies([{"name": name, "value": value, "url": site.url} for name, value in cookies.items()])  # type: ignore[typeddict-item]
    return cookies


def _transferred(site: _Site, path: str, cookies: dict[str, str]) -> float:
    """The page and every file that it names, as they travel."""
    with httpx.Client(base_url=site.url, cookies=cookies, headers={"accept-encoding": "gzip"}) as client:
        html = client.get(path).text
        named = {part.split('"')[0] for part in html.split('="')[1:] if part.startswith("/assets/")}
        total = 0
        for one in (path, *named):
            with client.stream("GET", one) as answer:
                total += sum(len(part) for part in answer.iter_raw())
    return total / 1000


def _many(options: Options, site: _Site, opened: Browser, rollouts: list[UUID]) -> Ratio:
    """The processor time of the API while so many pages of canaries are open, as a share of a core."""
    count, seconds = options.size(UNDER_WAY, 2), options.size(WATCHED_SECONDS, 2)
    context = opened.new_context()
    _signed_in(site, context)
    pages = [context.new_page() for _ in range(count)]
    for page, rollout in zip(pages, rollouts, strict=False):
        page.goto(f"{site.url}/rollouts/{rollout}")
    time.sleep(options.size(15, 1))
    shares = []
    for _ in range(options.rounds):
        before, began = _cpu_seconds(site.api.pid), time.monotonic()
        time.sleep(seconds)
        shares.append(100 * (_cpu_seconds(site.api.pid) - before) / (time.monotonic() - began))
    context.close()
    return Ratio(
        f"{count} open live pages: what they cost the API",
        "% of a core",
        tuple(shares),
        compare="ours",
        goal=Goal("at most", 5),
        note=f"each shows another canary; {NOTE}",
    )


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _served(options: Options, database: Database) -> Iterator[_Site]:
    api_port, ui_port = free_ports(2)
    with options.parts.processes() as processes:
        told = {
            "GRAFTWORK_HOME": str(processes.folder / "home"),
            "GRAFTWORK_PORT": str(api_port),
            "GRAFTWORK_UI_PORT": str(ui_port),
        }
        url = database.engine.url.render_as_string(hide_password=False)
        api = processes.python("api", "-m", "controlplane", "api", env={**told, "GRAFTWORK_DATABASE_URL": url})
        processes.python("ui", "-m", "controlplane", "ui", env=told)
        ui = f"http://127.0.0.1:{ui_port}"
        wait_for(lambda: is_ready(f"http://127.0.0.1:{api_port}"), "the API is ready", seconds=120)
        wait_for(lambda: _answers(ui), "the UI answers", seconds=120)
        yield _Site(ui, api)


def _answers(ui: str) -> bool:
    try:
        return httpx.get(f"{ui}/healthz").is_success
    except httpx.HTTPError:
        return False


# --- what stands in the database --------------------------------------------------------------------------------------


def _fill(database: Database, options: Options) -> list[UUID]:
    """The ids of the rollouts under way."""
    versions, deployments = options.size(VERSIONS, 20), options.size(DEPLOYMENTS, 10)
    commit_facts(database, options.size(FACTS, 30) // 3 * 3)
    now = datetime.now(UTC)
    with database.begin("bench") as uow:
        bootstrap_admin(uow, TOKEN)
        plant_model(uow, versions=versions)
        first = plant_version(uow, plant_job(uow), 1)
        row = first.model_dump(exclude={"id", "version"})
        others = [{**row, "id": uuid4(), "version": number} for number in range(2, versions + 1)]
        uow.session.execute(insert(ModelVersionRow), others)
        policy = RolloutPolicy()
        rows = [_deployment(number, first.model, policy, now) for number in range(deployments)]
        uow.session.execute(insert(DeploymentRow), rows)
        made = [_generation(row["name"], others[number]["id"], now) for number, row in enumerate(rows)]
        uow.session.execute(insert(GenerationRow), made)
        state = _evidence(policy.canary)
        under_way = [
            _rollout(row["name"], others[-1 - number]["id"], policy, state, now)
            for number, row in enumerate(rows[: options.size(UNDER_WAY, 2)])
        ]
        uow.session.execute(insert(RolloutRow), under_way)
    return [row["id"] for row in under_way]


def _deployment(number: int, model: str, policy: RolloutPolicy, now: datetime) -> dict[str, Any]:
    row = DeploymentRow(
        name=f"deployment-{number:04}",
        model=model,
        alias=f"alias-{number:04}",
        policy=policy.model_dump(mode="json"),
        generation=1,
        signing_key="a2V5",
        created_at=now,
    )
    return row.model_dump()


def _generation(deployment: str, stable: UUID, now: datetime) -> dict[str, Any]:
    row = GenerationRow(
        deployment=deployment, generation=1, stable=stable, graphs={}, reason="a bench", actor=WHO, created_at=now
    )
    return row.model_dump()


def _rollout(
    deployment: str, version: UUID, policy: RolloutPolicy, state: AnalysisState, now: datetime
) -> dict[str, Any]:
    row = RolloutRow(
        id=uuid4(),
        deployment=deployment,
        model_version_id=version,
        phase="Progressing",
        weight=0.05,
        policy=policy.model_dump(mode="json"),
        policy_revision=0,
        gates=[],
        analysis=state.model_dump(mode="json"),
        reason="a bench",
        actor=WHO,
        correlationid=WHO,
        started_event=uuid4(),
        created_at=now,
    )
    return row.model_dump()


def _evidence(policy: CanaryPolicy) -> AnalysisState:
    state = enter(begin(policy, started_at=0.0), 1, 0, 0.05)
    tick = max(1, int(policy.tick_seconds))
    for second in range(BLOCKS * tick):
        arms = {"stable": ArmCounts(units=95, error=1), "canary": ArmCounts(units=5)}
        seen = GenerationSecond(generation=1, applied_weight=0.05, **arms)
        batch = Batch(second, [Observation(boot=UUID(int=1), second=second, generations=(seen,))], second, [])
        state = fold(policy, state, batch)
    return state
