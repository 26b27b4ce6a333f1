"""One command on one machine: the CLI's journey, its exit codes, and a power cut in between."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.builders.bases import build_tiny_base
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import TRAIN
from tests.support.processes import Processes, is_alive
from tests.support.waiting import wait_for
from tests.support.worlds.machine import Machine

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
GOOD_ROW = "a superb witty film"


@pytest.fixture
def machine(processes: Processes, tmp_path: Path) -> Machine:
    base = build_tiny_base(tmp_path / "bases" / "tiny")
    return Machine(processes, {"GRAFTWORK_FILE_ROOTS": str(base.parent)})


def test_one_command_carries_rows_to_a_champion_and_has_it_again_after_a_power_cut(
    machine: Machine, tmp_path: Path
) -> None:
    assert "no such folder" in refused(machine.run("job", "list", code=2))
    nobody = {"GRAFTWORK_API_URL": "http://127.0.0.1:1", "GRAFTWORK_TOKEN": "gw_of-somebody"}
    asked = machine.command([sys.executable, "-m", "controlplane", "job", "list"], code=3, env=nobody)
    assert refused(asked).endswith("is `graftwork up` running?")
    up = machine.up()
    refuses_bad_input_in_one_line(machine, tmp_path)
    release_by_pipeline(machine, tmp_path)
    champion = machine.json("model", "get", "mood@champion")
    assert answers_positive(machine, champion["id"])

    family = machine.family(up)
    assert any("workers.serve" in line for line in family.values()), family
    up.kill()
    wait_for(lambda: not [line for pid, line in family.items() if is_alive(pid)], "no child survives its supervisor")

    address = machine.gateway("mood")
    machine.up()
    assert machine.json("model", "get", "mood@champion")["id"] == champion["id"]
    wait_for(lambda: answers_positive(machine, champion["id"]), "the gateway serves it again", seconds=90)
    assert machine.gateway("mood") == address
    assert len(machine.json("model", "history", "mood", "champion")) == 1


def refuses_bad_input_in_one_line(machine: Machine, tmp_path: Path) -> None:
    words = machine.document("no-name", {"stages": {}})
    assert "name: expected" in refused(machine.run("pipeline", "apply", words, code=2))
    assert "no such file" in refused(machine.run("dataset", "import", "mood", str(tmp_path / "none.csv"), code=2))
    train = machine.document("train", TRAIN | {"base_model": tiny(tmp_path), "dataset": "nothing@latest"})
    assert "nothing" in refused(machine.run("job", "request", "train", train, code=2))
    outside = machine.document("outside", {"dataset": "mood", "sources": [{"uri": "file:///etc/passwd"}]})
    failed = machine.json("job", "request", "curate", outside, "--watch", code=1)
    assert failed["phase"] == "Failed"
    assert "GRAFTWORK_FILE_ROOTS" in failed["reason"]


def release_by_pipeline(machine: Machine, tmp_path: Path) -> None:
    csv = tmp_path / "mood.csv"
    csv.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in planted_rows(400)))
    imported = machine.json("dataset", "import", "mood", str(csv))
    assert imported["phase"] == "Succeeded"
    accuracy = {"gate": "metric", "metric": "accuracy", "dataset": "mood", "min_rows": 20, "minimum": 0.6}
    policy = {"gates": [{"gate": "parity"}, accuracy]}
    machine.json("deployment", "apply", machine.document("mood", {"name": "mood", "model": "mood", "policy": policy}))
    machine.json("pipeline", "apply", machine.document("pipeline", pipeline(tmp_path)))
    wait_for(
        lambda: any(gateway["live"] for gateway in machine.json("deployment", "get", "mood")["gateways"]),
        "its gateway is alive",
        seconds=90,
    )
    run = machine.json("pipeline", "run", "mood", "epochs=8", "--watch")
    assert run["phase"] == "Succeeded"
    rollouts = machine.json("rollout", "list", "--deployment", "mood")
    assert [(rollout["phase"], rollout["id"]) for rollout in rollouts] == [
        ("Promoted", run["stages"]["release"]["rollout_id"])
    ]
    decisions = machine.json("rollout", "decisions", rollouts[0]["id"])
    assert decisions
    assert all(machine.json("why", decision["id"])["recomputed"] for decision in decisions)


def pipeline(tmp_path: Path) -> dict[str, object]:
    version, dataset = "${stages.train.model_version}", "mood@latest"
    asked = {"model": "mood", "base_model": tiny(tmp_path), "dataset": dataset}
    train = TRAIN | asked | {"epochs": "${params.epochs}", "max_length": 16}
    return {
        "name": "mood",
        "params": {"epochs": 1},
        "stages": {
            "train": {"kind": "train", "spec": train},
            "export": {"kind": "export", "needs": ["train"], "spec": {"model_version": version}},
            "evaluate": {
                "kind": "evaluate",
                "needs": ["train", "export"],
                "spec": {"model_version": version, "dataset": dataset},
            },
            "release": {
                "kind": "release",
                "needs": ["train", "evaluate"],
                "deployment": "mood",
                "model_version": version,
            },
        },
    }


def tiny(tmp_path: Path) -> str:
    return (tmp_path / "bases" / "tiny").as_uri()


def answers_positive(machine: Machine, version: str) -> bool:
    try:
        answer = httpx.post(f"{machine.gateway('mood')}/v1/predict", json={"text": GOOD_ROW}, timeout=10)
    except httpx.HTTPError:
        return False
    if answer.status_code == 503:  # it has not loaded it yet
        return False
    found = answer.raise_for_status().json()
    assert found["model_version"] == version
    return bool(found["predictions"][0]["label"] == "positive")


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that was said on stderr."""
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("graftwork: ")
    return line
