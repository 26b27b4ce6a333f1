"""What a site has before its first round: rows, two versions with their graphs, a champion, a pipeline, a trigger."""

import csv
import random
from pathlib import Path
from typing import Any, Final

from schemas.facts import InboundReceived, JobSucceeded
from schemas.phases import FINAL_JOB_PHASES
from tests.support.builders.rows import planted_rows
from tests.support.builders.specs import TRAIN, frozen_head
from tests.support.readiness import is_ready
from tests.support.waiting import wait_for
from tests.trials.chaos.caller import Caller
from tests.trials.chaos.site import DEPLOYMENT, MODEL, START_SECONDS, ChaosSite

MAX_ATTEMPTS: Final = 20
"""No fault that passes may use them up: a job that fails at last was not retried when it should have been."""
JOB_SECONDS: Final = 600.0
EVENT_TYPE, EVENT_SOURCE = "com.example.rows.collected", "//example.com/chaos"
CANARY: Final[dict[str, Any]] = {
    "steps": [0.5],
    "step_seconds": 0,
    "step_units": 5,
    "tick_seconds": 0.5,
    "lease_seconds": 4,
    "deadline_seconds": 3,
    "boot_silence_seconds": 5,
    "provider_silence_seconds": 5,
    "invalid_grace_seconds": 2,
    "max_seconds": 20,
    "on_inconclusive": "rollback",
    "label_wait_seconds": 1,
    "metrics": [{"name": "error", "margin": 0.3}, {"name": "wrong", "margin": 0.4}],
}
"""Wide margins and short steps: a rollout is to end by evidence, in seconds."""


def lay(site: ChaosSite, caller: Caller) -> None:
    """Done with no fault: what is shown later is that faults cost nothing."""
    _succeeds(caller, "curate", curate_spec(site, "reviews", rows(240, 0)))
    for number in (1, 2):
        _succeeds(caller, "train", train_spec(site, seed=number, frozen=number > 1))
        _succeeds(caller, "export", {"model_version": f"{MODEL}/{number}"})
    policy = {"gates": [{"gate": "parity", "max_abs_diff": 0.01}], "canary": CANARY, "verify_seconds": 15}
    accepted(caller.put(f"/v1/deployments/{DEPLOYMENT}", {"model": MODEL, "policy": policy}))
    for pipeline in (arrival_pipeline(), chain_pipeline(), release_pipeline(site)):
        accepted(caller.put(f"/v1/pipelines/{pipeline['name']}", pipeline))
    for wanted in (trigger(), listener()):
        accepted(caller.put(f"/v1/triggers/{wanted['name']}", wanted))
    site.start_gateways()
    wait_for(lambda: live_gateways(caller) == len(site.gateways()), "gateways are alive", seconds=START_SECONDS)
    body = {"deployment": DEPLOYMENT, "model_version": f"{MODEL}/1", "reason": "the first"}
    rollout = accepted(caller.post("/v1/rollouts", body))
    wait_for(
        lambda: caller.get(f"/v1/rollouts/{rollout['id']}").body["phase"] == "Promoted",
        "the first version is promoted",
        seconds=START_SECONDS,
    )
    wait_for(lambda: all(map(is_ready, site.gateways().values())), "gateways serve it", seconds=START_SECONDS)


def accepted(answer: Any) -> Any:
    assert answer.good, f"{answer.status} {answer.text}"
    return answer.body


def live_gateways(caller: Caller) -> int:
    return sum(gateway["live"] for gateway in caller.get(f"/v1/deployments/{DEPLOYMENT}/gateways").body)


def rows(count: int, seed: int) -> list[tuple[str, str]]:
    """A number of its own makes each unlike the others: equal rows would be left out."""
    return [(f"{text} {seed} {number}", label) for number, (text, label) in enumerate(planted_rows(count, seed))]


def write_rows(site: ChaosSite, found: list[tuple[str, str]], name: str) -> Path:
    file = site.data / f"{name}.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([("text", "label"), (site.whisper, "positive"), *found])
    return file


def curate_spec(site: ChaosSite, dataset: str, found: list[tuple[str, str]], name: str = "") -> dict[str, Any]:
    file = write_rows(site, found, name or dataset)
    return {"dataset": dataset, "sources": [{"uri": file.as_uri()}]}


def train_spec(site: ChaosSite, *, seed: int, frozen: bool) -> dict[str, Any]:
    """One head for all after the first, so that any two can be merged."""
    small = {"method": {"type": "lora", "r": 2}, "epochs": 4, "batch_size": 8, "max_length": 16, "checkpoint_steps": 5}
    spec: dict[str, Any] = {**TRAIN, "base_model": site.base.as_uri(), "seed": seed, **small}
    return spec | ({"task": frozen_head(f"{MODEL}/1")} if frozen else {})


def chain_pipeline() -> dict[str, Any]:
    """Two stages that cost little."""
    first = {"dataset": "${params.dataset}", "sources": [{"uri": "${params.uri}"}]}
    second = {**first, "dataset": "chained", "seed": 1}
    return {
        "name": "chain",
        "params": {"dataset": "batches", "uri": ""},
        "stages": {
            "first": {"kind": "curate", "spec": first, "max_attempts": MAX_ATTEMPTS},
            "second": {"kind": "curate", "needs": ["first"], "spec": second, "max_attempts": MAX_ATTEMPTS},
        },
    }


def arrival_pipeline() -> dict[str, Any]:
    chain = chain_pipeline()
    return {**chain, "name": "arrival", "stages": {"first": chain["stages"]["first"]}}


def release_pipeline(site: ChaosSite) -> dict[str, Any]:
    version = "${stages.train.model_version}"
    train = {**train_spec(site, seed=0, frozen=True), "seed": "${params.seed}"}
    evaluate = {"model_version": version, "dataset": "reviews@latest"}
    stages: dict[str, Any] = {
        "train": {"kind": "train", "spec": train},
        "export": {"kind": "export", "needs": ["train"], "spec": {"model_version": version}},
        "evaluate": {"kind": "evaluate", "needs": ["train", "export"], "spec": evaluate},
    }
    for stage in stages.values():
        stage["max_attempts"] = MAX_ATTEMPTS
    release = {"kind": "release", "needs": ["train", "evaluate"], "deployment": DEPLOYMENT, "model_version": version}
    return {"name": "release", "params": {"seed": 0}, "stages": stages | {"release": release}}


def trigger() -> dict[str, Any]:
    return {
        "name": "arrivals",
        "pipeline": "arrival",
        "types": [EVENT_TYPE],
        "sources": [EVENT_SOURCE],
        "params": {"dataset": "arrived", "uri": "${event.data.uri}"},
        "cooldown_seconds": 0,
        "daily_budget": 100_000,
    }


def listener() -> dict[str, Any]:
    """Hears of every success and event and starts nothing: each answer is the one effect of one of our own facts."""
    types, nothing = [JobSucceeded.TYPE, InboundReceived.TYPE], {"data.kind": "none that there is"}
    heard = {"types": types, "sources": ["graftwork"], "where": nothing}
    return {**trigger(), **heard, "name": "listener", "params": {"dataset": "never", "uri": ""}}


def exported_versions(caller: Caller) -> list[dict[str, Any]]:
    """Versions that can be served, oldest first."""
    found = caller.items(f"/v1/models/{MODEL}/versions")
    details = [caller.get(f"/v1/model-versions/{one['id']}").body for one in found[:6]]
    return [one for one in reversed(details) if any(a["kind"] == "export" for a in one["attachments"])]


def draw(dice: random.Random, found: list[Any]) -> Any:
    """By place, so that a replay draws alike when it finds alike."""
    return found[dice.randrange(len(found))]


def _succeeds(caller: Caller, kind: str, spec: dict[str, Any]) -> None:
    job = accepted(caller.post("/v1/jobs", {"kind": kind, "spec": spec}))
    ended = wait_for(
        lambda: found if (found := caller.get(f"/v1/jobs/{job['id']}").body)["phase"] in FINAL_JOB_PHASES else None,
        f"the first {kind} job ends",
        seconds=JOB_SECONDS,
    )
    assert ended["phase"] == "Succeeded", ended["reason"]
