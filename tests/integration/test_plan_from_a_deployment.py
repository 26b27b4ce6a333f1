"""`graftwork rollout plan --deployment`: its policy, and the traffic that its last canary met, over HTTP."""

import json
from pathlib import Path

import pytest

from controlplane.cli.app import main
from controlplane.store.database import Database
from tests.support.answers import ok
from tests.support.http_server import serving
from tests.support.scripted_gateway import Gateway
from tests.support.worlds.in_process import InProcess


@pytest.fixture
def site(sqlite_database: Database) -> InProcess:
    site = InProcess(sqlite_database)
    site.deploy(canary={"steps": [0.2, 0.5], "step_seconds": 5, "step_units": 10, "tick_seconds": 5})
    return site


def plan(site: InProcess, tmp_path: Path, *more: str) -> int:
    token = tmp_path / "token"
    token.write_text(site.client("viewer").headers["authorization"].removeprefix("Bearer "))
    line = ["rollout", "plan", "--deployment", "reviews", "--runs", "3", "--token-file", str(token), *more]
    with serving(site.app) as url, pytest.raises(SystemExit) as stopped:
        main([*line, "--api-url", url])
    return int(stopped.value.code or 0)


def test_traffic_is_what_the_last_canary_met(
    site: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.first_champion()
    gateway = Gateway(site)
    site.canary(gateway)
    for _ in range(12):
        gateway.observe(50, stable_errors=0.05)
        site.turn()
    assert site.rollout(site.client("viewer").get("/v1/rollouts").json()["items"][0]["id"])["step"] == 2
    assert plan(site, tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["traffic"] == {
        "units_per_second": 50.0, "stable_error": pytest.approx(2 / 40), "stable_wrong": 0.0, "labelled": 0.0,
        "stable_abandoned": 0.0,
    }  # fmt: skip
    assert found["plan"]["harms"][0]["rate"] == pytest.approx(0.07), "two of its policy's margins more"


def test_a_canary_that_a_person_promoted_serves_and_its_rates_are_planned_with(
    site: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.deploy(canary={"steps": [0.2, 0.5], "step_seconds": 5, "step_units": 100_000, "tick_seconds": 5})
    site.first_champion()
    gateway = Gateway(site)
    rollout = site.canary(gateway)
    for _ in range(8):
        gateway.observe(50, stable_errors=0.05, canary_errors=0.1)
        site.turn()
    ok(site.client("releaser").post(f"/v1/rollouts/{rollout['id']}:promote", json={"reason": "it is urgent"}))
    promoted = site.rollout(rollout["id"])
    assert promoted["phase"] == "Promoted"
    assert "canary" not in {decision["kind"] for decision in site.decisions(rollout["id"])}, "only a person decided"
    assert plan(site, tmp_path, "--json") == 0
    traffic = json.loads(capsys.readouterr().out)["traffic"]
    assert traffic["units_per_second"] == 50.0
    assert traffic["stable_error"] == pytest.approx(0.1)
    assert plan(site, tmp_path) == 0
    assert f"rates of {promoted['model_version']}" in capsys.readouterr().out


def test_without_any_canary_the_plan_asks_for_the_traffic(
    site: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.first_champion()
    assert plan(site, tmp_path) == 2
    assert "no canary of reviews was observed yet" in capsys.readouterr().err


def test_what_is_given_on_the_line_wins_over_what_was_observed(
    site: InProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.first_champion()
    assert plan(site, tmp_path, "--rps", "50", "--stable-error", "0.01", "--json") == 0
    assert json.loads(capsys.readouterr().out)["traffic"]["units_per_second"] == 50.0
