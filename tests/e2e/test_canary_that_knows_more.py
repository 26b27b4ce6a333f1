"""A class that only one of two versions knows, through the journey of one machine: files, training, traffic, labels.

`make journeys`, not CI: three rollouts that are decided by their evidence take minutes.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from schemas.phases import FINAL_ROLLOUT_PHASES
from tests.support.builders.specs import TRAIN
from tests.support.cargo import CASE
from tests.support.downloads import downloads
from tests.support.processes import Processes
from tests.support.users import Users
from tests.support.waiting import wait_for
from tests.support.worlds.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.nightly, pytest.mark.timeout(900)]
ROWS = Path(__file__).with_name("tickets.csv")
"""Praise, complaints, and a third as many refunds, which the first version does not know."""
POLICY = {
    "steps": [0.3, 0.5],
    "step_seconds": 5,
    "step_units": 5,
    "tick_seconds": 2,
    "label_wait_seconds": 2,
    "max_seconds": 90,
    "metrics": [{"name": "error", "margin": 0.05}, {"name": "wrong", "margin": 0.1}],
}
Row = tuple[str, str]


def test_who_knows_a_class_more_is_promoted_and_who_lacks_it_is_not(processes: Processes, tmp_path: Path) -> None:
    with ROWS.open(newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    machine = Machine(processes, {"GRAFTWORK_SOURCES_CACHE": str(downloads())})
    machine.up()
    deploy(machine)
    train(machine, tmp_path / "first.csv", [row for row in rows if row[1] != "refund"])
    assert ended(machine, start(machine, "tickets/1"))["phase"] == "Promoted"
    train(machine, tmp_path / "second.csv", rows)

    better = canary(machine, "tickets/2", rows)
    assert better["phase"] == "Promoted", better["analysis"]
    refused = ended(machine, start(machine, "tickets/1"))
    assert refused["phase"] == "Aborted", refused
    assert "the champion knows refund, which the version lacks" in str(refused["gates"])
    deploy(machine, may_drop=["refund"])
    worse = canary(machine, "tickets/1", rows)
    assert worse["phase"] == "RolledBack", worse["analysis"]
    for rollout in (better, worse):
        for decision in machine.json("rollout", "decisions", rollout["id"]):
            assert machine.json("why", decision["id"])["recomputed"]


def deploy(machine: Machine, may_drop: Sequence[str] = ()) -> None:
    policy = {"gates": [{"gate": "parity"}], "canary": POLICY, "may_drop": list(may_drop)}
    asked = {"name": "tickets", "model": "tickets", "policy": policy}
    machine.json("deployment", "apply", machine.document("deployment", asked))
    wait_for(
        lambda: any(one["live"] for one in machine.json("deployment", "get", "tickets")["gateways"]),
        "its gateway is alive",
        seconds=90,
    )


def train(machine: Machine, file: Path, rows: Sequence[Row]) -> None:
    with file.open("w", newline="") as written:
        csv.writer(written).writerows([("text", "label"), *rows])
    dataset = machine.json("dataset", "import", "tickets", str(file))["outputs"]["dataset"]
    asked = {"model": "tickets", "base_model": CASE.document("pipeline")["params"]["base_model"], "dataset": dataset}
    done = job(machine, "train", TRAIN | asked | {"epochs": 2, "max_length": 32})
    job(machine, "export", {"model_version": done["outputs"]["model_version"]})


def job(machine: Machine, kind: str, spec: dict[str, Any]) -> Any:
    return machine.json("job", "request", kind, machine.document(kind, spec), "--watch")


def start(machine: Machine, version: str) -> str:
    return str(machine.json("rollout", "start", "tickets", version, "--reason", "a test")["id"])


def canary(machine: Machine, version: str, rows: Sequence[Row]) -> Any:
    """True labels come back for all traffic while it is compared, and none is refused, whoever has answered."""
    rollout = start(machine, version)
    wait_for(lambda: machine.json("rollout", "get", rollout)["weight"] > 0, f"{version} gets traffic", seconds=90)
    gateway = machine.gateway("tickets")
    with Users([gateway], machine.api_url, machine.admin_token, rows, 20, CASE.user) as users:
        found = ended(machine, rollout)
    assert users.failures == []
    return found


def ended(machine: Machine, rollout: str) -> Any:
    def found() -> Any:
        now = machine.json("rollout", "get", rollout)
        return now if now["phase"] in (*FINAL_ROLLOUT_PHASES, "Paused") else None

    return wait_for(found, "the rollout ends", seconds=150)
