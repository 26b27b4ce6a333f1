"""`graftwork status`: one screen of what serves, what goes on and what waits for a person."""

from itertools import chain, islice
from typing import Any, get_args

import typer

from controlplane.cli.output import Terminal, terminal
from controlplane.cli.progress import how_far
from controlplane.cli.table import one_line
from controlplane.client import Client
from controlplane.domain.waits import frozen, held, paused
from schemas.phases import FINAL_JOB_PHASES, FINAL_ROLLOUT_PHASES, JobPhase, RolloutPhase
from schemas.views.deployments import DeploymentView
from schemas.views.rollouts import RolloutView

ROLLOUTS_GO_ON = tuple(phase for phase in get_args(RolloutPhase) if phase not in FINAL_ROLLOUT_PHASES)
JOBS_GO_ON = tuple(phase for phase in reversed(get_args(JobPhase)) if phase not in FINAL_JOB_PHASES)
"""What runs stands before what waits."""
AT_MOST = 20
"""How many rollouts of a phase, jobs of a phase and dead letters are asked for: it is one screen."""


def register(app: typer.Typer) -> None:
    app.command()(status)


def status(context: typer.Context) -> None:
    """What serves, which rollouts and jobs are under way, what waits for a person, and dead letters."""
    screen = terminal(context)
    with screen.client() as client:
        found = look(client)
    if screen.as_json:
        screen.print_json(found)
    else:
        _print(screen, found)


def look(client: Client) -> dict[str, Any]:
    deployments = list(client.list_deployments())
    rollouts = list(chain.from_iterable(islice(client.list_rollouts(phase=phase), AT_MOST) for phase in ROLLOUTS_GO_ON))
    jobs = list(chain.from_iterable(islice(client.list_jobs(phase=phase), AT_MOST) for phase in JOBS_GO_ON))
    return {
        "info": client.info().model_dump(mode="json"),
        "deployments": [_deployment(one) for one in deployments],
        "rollouts": [_rollout(one) for one in rollouts],
        "jobs": [
            {"id": one.id, "kind": one.kind, "phase": one.phase, "progress": how_far(one.kind, one.progress)}
            for one in jobs
        ],
        "inbound": client.ready().model_dump(mode="json", include={"inbound_lag", "inbound"}),
        "waits_for_a_person": [*_paused(rollouts), *_frozen(deployments), *_held(rollouts, deployments)],
        "dead_letters": len(list(islice(client.list_dead_letters(status="Open"), AT_MOST))),
    }


def _deployment(one: DeploymentView) -> dict[str, Any]:
    desired = one.desired
    return {
        "name": one.name,
        "stable": desired.stable_version if desired else None,
        "canary": desired.canary_version if desired else None,
        "weight": desired.weight if desired else 0.0,
        "frozen": one.frozen_reason,
    }


def _rollout(one: RolloutView) -> dict[str, Any]:
    return {
        "id": one.id,
        "deployment": one.deployment,
        "version": one.model_version,
        "phase": one.phase,
        "step": one.step_in_words,
        "weight": one.weight,
        "reason": one.reason,
    }


def _paused(rollouts: list[RolloutView]) -> list[str]:
    return [f"rollout of {one.deployment}: {paused(one.id, one.verdict)}" for one in rollouts if one.phase == "Paused"]


def _frozen(deployments: list[DeploymentView]) -> list[str]:
    return [frozen(one.name, one.frozen_reason) for one in deployments if one.frozen]


def _held(rollouts: list[RolloutView], deployments: list[DeploymentView]) -> list[str]:
    """What another auditor or admin may release."""
    of_all = [held("deployment", one.name, hold.actor, hold.reason) for one in deployments for hold in one.holds]
    of_one = [
        held("rollout", one.id, hold.actor, hold.reason) for one in rollouts for hold in one.holds if hold.rollout_id
    ]
    return [*of_all, *of_one]


def _print(screen: Terminal, found: dict[str, Any]) -> None:
    info = found["info"]
    screen.write(f"Graftwork {info['version']} · {info['mode']} · events from {info['source']}")
    sections = {
        "deployments": ("name", "stable", "canary", "weight", "frozen"),
        "rollouts": ("id", "deployment", "version", "phase", "step", "weight", "reason"),
        "jobs": ("id", "kind", "phase", "progress"),
    }
    for title, columns in sections.items():
        screen.write("\n" + screen.bold(title.upper()))
        screen.rows(found[title], columns)
    _print_inbound(screen, found["inbound"])
    screen.write("\n" + screen.bold("WAITS FOR A PERSON"))
    screen.write("\n".join(map(one_line, found["waits_for_a_person"])) or "nothing")
    letters = found["dead_letters"]
    shown = f"{letters} or more" if letters == AT_MOST else str(letters)
    screen.write(f"\n{screen.bold('DEAD LETTERS')} {shown}" + (": graftwork dlq list" if letters else ""))


def _print_inbound(screen: Terminal, inbound: dict[str, Any]) -> None:
    """Other people's events, when some wait to be read."""
    lag, faults = inbound["inbound_lag"], inbound["inbound"]
    if lag or faults:
        screen.write(f"\n{screen.bold('INBOUND')} {lag:,} records wait to be read")
        screen.write("\n".join(map(one_line, faults)) or "they are being read")
