"""Waits until nothing moves any more: every job, run, rollout and rollback has ended, and every fact was told."""

import time
from typing import Final

from controlplane.commands.spine.cursors import FACTS
from controlplane.commands.spine.dead_letters import RELAY
from schemas.phases import FINAL_ROLLOUT_PHASES
from tests.trials.chaos.caller import Caller
from tests.trials.chaos.ledger import Ledger
from tests.trials.chaos.site import DEPLOYMENT, ChaosSite

PATIENCE: Final = 180.0
"""From the end of every fault and journey."""
LOOK_SECONDS: Final = 0.25
STILL: Final = 2
"""So many looks in a row must find nothing."""


def wait_until_quiet(site: ChaosSite, caller: Caller, ledger: Ledger) -> list[str]:
    """What still moves at the deadline; none when all is quiet. What ended by itself is started again meanwhile."""
    deadline = time.monotonic() + PATIENCE
    still = 0
    while True:
        site.revive()
        _tidy(caller)
        moving = _moving(site, caller, ledger)
        still = 0 if moving else still + 1
        if still >= STILL:
            return []
        if time.monotonic() > deadline:
            return [f"still moving {PATIENCE:.0f} s after everything was healed: {one}" for one in moving]
        time.sleep(LOOK_SECONDS)


def unwanted_ends(caller: Caller, ledger: Ledger) -> list[str]:
    """What was asked for can be done, and no fault lasts: no job fails, none is cancelled that nobody took back."""
    found = [
        f"{job['kind']} job {job['id']} has failed: {job['reason']}" for job in caller.items("/v1/jobs", phase="Failed")
    ]
    for job_id in ledger.expected.jobs - ledger.cancelled:
        if (phase := caller.get(f"/v1/jobs/{job_id}").body["phase"]) != "Succeeded":
            found.append(f"job {job_id} is {phase}")
    for phase in ("Failed", "Cancelled"):
        for run in caller.items("/v1/pipeline-runs", phase=phase):
            # its rollout may end as any other does: by evidence, by a person, or refused
            if run["stages"].get("release", {}).get("phase") != "Failed":
                found.append(f"run {run['id']} of {run['pipeline']} is {phase}: {run['reason']}")
    return found


def _tidy(caller: Caller) -> None:
    """As an operator would: what stands for want of evidence is aborted, what a rollback froze is thawed."""
    for rollout in caller.items("/v1/rollouts", phase="Paused"):
        caller.post(f"/v1/rollouts/{rollout['id']}:abort", {"reason": "it stands, and the round is over"})
    if caller.get(f"/v1/deployments/{DEPLOYMENT}").body["frozen"]:
        caller.post(f"/v1/deployments/{DEPLOYMENT}:resume")


def _moving(site: ChaosSite, caller: Caller, ledger: Ledger) -> list[str]:
    found = [
        f"job {job['id']} ({job['kind']}) is {job['phase']}: {job['reason']}"
        for phase in ("Pending", "Running")
        for job in caller.items("/v1/jobs", phase=phase)
    ]
    found += [f"run {run['id']} is Running" for run in caller.items("/v1/pipeline-runs", phase="Running")]
    newest = caller.get("/v1/rollouts", limit=20).body["items"]
    found += [f"rollout {one['id']} is {one['phase']}" for one in newest if one["phase"] not in FINAL_ROLLOUT_PHASES]
    rollbacks = caller.get(f"/v1/deployments/{DEPLOYMENT}/rollbacks", limit=5).body
    found += [f"rollback {one['id']} is {one['phase']}" for one in rollbacks if one["phase"] == "Verifying"]
    return found or _unheard(site, caller, ledger) or _untold(site) or _not_applied(caller)


def _unheard(site: ChaosSite, caller: Caller, ledger: Ledger) -> list[str]:
    """Inbound events that no trigger has answered yet."""
    if site.bootstrap_servers is None:
        return []
    asked = sorted(ledger.expected.events)
    return [f"event {id} has no answer" for _, id in asked if not caller.items("/v1/trigger-evaluations", event=id)]


def _untold(site: ChaosSite) -> list[str]:
    peek = site.peek()
    names = (FACTS, RELAY) if site.bootstrap_servers else (FACTS,)
    try:
        last = peek.last_fact()
        return [f"{name} stands before fact {last}" for name in names if peek.cursor(name) < last]
    except OSError as error:
        return [str(error)]


def _not_applied(caller: Caller) -> list[str]:
    wanted = caller.get(f"/v1/deployments/{DEPLOYMENT}").body["generation"]
    gateways = caller.get(f"/v1/deployments/{DEPLOYMENT}/gateways").body
    return [f"{one['gateway']} has not applied {wanted}" for one in gateways if not _applies(one, wanted)]


def _applies(gateway: dict[str, object], wanted: int) -> bool:
    return bool(gateway["live"]) and gateway["generation"] == wanted
