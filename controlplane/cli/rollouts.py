"""`graftwork deployment …`, `graftwork rollout …`, `graftwork why …`"""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import documents, specs
from controlplane.cli.histories import show_history
from controlplane.cli.jobs import Wait
from controlplane.cli.models import Reason, Why
from controlplane.cli.output import FAILED, Limit, Terminal, terminal
from controlplane.cli.plan import plan
from controlplane.cli.progress import of_rollout
from controlplane.cli.table import one_line
from controlplane.cli.watching import watch
from controlplane.client import Client
from controlplane.domain.waits import frozen
from schemas.rollouts import DeploymentSpec
from schemas.views.rollouts import RolloutView

deployment = typer.Typer(no_args_is_help=True, help="Deployments: what serves, by which policy; rollback.")
rollout = typer.Typer(no_args_is_help=True, help="Rollouts: gates, canary, promotion.")

POLICY = ("policy",)
"""Forty lines of it would hide what a verb did: `deployment get`, `rollout get` and --json show them."""
WhichHold = Annotated[str | None, typer.Option(help="its id; default: the only one that stands")]


def register(app: typer.Typer) -> None:
    rollout.command()(plan)
    app.add_typer(deployment, name="deployment")
    app.add_typer(rollout, name="rollout")
    app.command()(why)


@deployment.command()
def apply(context: typer.Context, file: Path, reason: Why = None) -> None:
    """Create a deployment or change its policy, from a YAML file. What changes something is a new revision."""
    screen = terminal(context)
    document = documents.named(file)
    with screen.client() as client:
        applied = client.put_deployment(document.pop("name"), document, reason)
        screen.show(applied, POLICY)
        _warn(screen, applied.warnings)


@deployment.command("list")
def list_deployments(context: typer.Context) -> None:
    screen = terminal(context)
    with screen.client() as client:
        desired = ("stable_version", "canary_version", "weight", "reason")
        columns = ("name", "alias", "generation", *(f"desired.{one}" for one in desired), "frozen")
        screen.rows(list(client.list_deployments()), columns, empty="no deployments")


@deployment.command("get")
def get_deployment(context: typer.Context, name: str) -> None:
    """What it shall serve, and what its gateways say."""
    screen = terminal(context)
    with screen.client() as client:
        found, gateways = client.get_deployment(name), client.list_gateways(name)
    if screen.as_json:
        screen.print_json({"deployment": found, "gateways": gateways})
        return
    screen.show(found)
    screen.rows(
        gateways,
        ("gateway", "live", "generation", "applied_weight", "loaded_versions", "reported_at"),
        empty="no gateways",
    )


@deployment.command()
def served(
    context: typer.Context, name: str, at: Annotated[str | None, typer.Option(help="RFC 3339; default: now")] = None
) -> None:
    """What served at a time: what was desired, and what each gateway had said to apply."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.served(name, at))


@deployment.command("history")
def deployment_history(context: typer.Context, name: str, limit: Limit = 30) -> None:
    """Every policy that it had, newest first: who applied it, when and why, and what it changed."""
    screen = terminal(context)
    with screen.client() as client:
        show_history(screen, client.deployment_history(name), limit)


@deployment.command()
def rollback(
    context: typer.Context,
    name: str,
    reason: Reason,
    target: Annotated[str | None, typer.Option(help="id, name/7 or name@alias; default: what served before")] = None,
    force: Annotated[bool, typer.Option(help="without proof that gateways can load it; audited")] = False,
) -> None:
    """Back to what served before: gateways load it and answer first, then the pointer moves."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.rollback(name, reason, target=target, force=force))
    screen.tell(f"queued rollouts wait, for {frozen(name, None)}")


@deployment.command()
def rollbacks(context: typer.Context, name: str) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(
            client.list_rollbacks(name),
            ("id", "phase", "target_version", "previous_version", "unconfirmed", "actor", "reason"),
        )


@deployment.command()
def resume(context: typer.Context, name: str) -> None:
    """Let queued rollouts go on after a rollback froze them."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.resume_deployment(name), POLICY)


@deployment.command("hold")
def hold_deployment(context: typer.Context, name: str, reason: Reason) -> None:
    """No rollout of it is promoted or gets more weight until another person releases it: roles auditor and admin."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.hold_deployment(name, reason), POLICY)


@deployment.command("release-hold")
def release_deployment_hold(context: typer.Context, name: str, reason: Reason, hold: WhichHold = None) -> None:
    """Let rollouts go on that somebody else held; holds on single rollouts stay."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.release_deployment_hold(name, reason, hold=hold), POLICY)


@deployment.command("spec")
def deployment_spec(context: typer.Context, example: specs.AsExample = False) -> None:
    """Every field of the file that `apply` takes: type, default, unit and meaning."""
    specs.show(terminal(context), DeploymentSpec, example, name="reviews")


@rollout.command()
def start(
    context: typer.Context,
    deployment: str,
    version: Annotated[str, typer.Argument(help="id, name/7 or name@alias")],
    reason: Reason,
    waive_gates: Annotated[str | None, typer.Option(help="why gates shall not stop it; role releaser, audited")] = None,
    wait: Wait = False,
) -> None:
    """Put a version on its way."""
    screen = terminal(context)
    with screen.client() as client:
        started = client.start_rollout(deployment, version, reason=reason, waive_gates=waive_gates)
        _warn(screen, client.get_deployment(deployment).warnings)
        if wait:
            follow(screen, client, started)
        else:
            screen.show(started)


@rollout.command("list")
def list_rollouts(
    context: typer.Context, deployment: str | None = None, phase: str | None = None, limit: Limit = 30
) -> None:
    """Newest first."""
    screen = terminal(context)
    with screen.client() as client:
        rollouts = client.list_rollouts(deployment=deployment, phase=phase)
        found = list(islice(rollouts, limit))
        if not found and deployment is not None:
            client.get_deployment(deployment)  # refuses a name that nothing has
    columns = ("id", "deployment", "model_version", "phase", "step", "weight", "verdict", "waits_for", "reason")
    told = found if screen.as_json else [dict(one) | {"step": one.step_in_words} for one in found]
    screen.rows(told, columns, empty="no rollouts")


@rollout.command("get")
def get_rollout(context: typer.Context, rollout_id: str, wait: Wait = False) -> None:
    screen = terminal(context)
    with screen.client() as client:
        if wait:
            follow(screen, client, client.get_rollout(rollout_id))
        else:
            screen.show(client.get_rollout(rollout_id))


@rollout.command()
def pause(context: typer.Context, rollout_id: str, reason: Reason) -> None:
    """The ladder stands; harm is still watched."""
    act(context, rollout_id, "pause", reason)


@rollout.command("resume")
def resume_rollout(context: typer.Context, rollout_id: str, reason: Reason) -> None:
    act(context, rollout_id, "resume", reason)


@rollout.command()
def promote(context: typer.Context, rollout_id: str, reason: Reason) -> None:
    """Skip the rest of the ladder: role releaser, kept with the evidence as it stands."""
    act(context, rollout_id, "promote", reason)


@rollout.command()
def abort(context: typer.Context, rollout_id: str, reason: Reason) -> None:
    """Back to stable alone."""
    act(context, rollout_id, "abort", reason)


@rollout.command("hold")
def hold_rollout(context: typer.Context, rollout_id: str, reason: Reason) -> None:
    """It is not promoted and gets no more weight until another person releases it: roles auditor and admin."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.hold_rollout(rollout_id, reason))


@rollout.command("release-hold")
def release_rollout_hold(context: typer.Context, rollout_id: str, reason: Reason, hold: WhichHold = None) -> None:
    """Let it go on, held by somebody else; whoever releases it may not promote it."""
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.release_rollout_hold(rollout_id, reason, hold=hold))


@rollout.command()
def decisions(context: typer.Context, rollout_id: str) -> None:
    """Oldest first; `graftwork why ID` explains one."""
    screen = terminal(context)
    with screen.client() as client:
        screen.rows(client.list_decisions(rollout_id), ("at", "id", "kind", "verdict", "actor", "reason"))


def why(context: typer.Context, decision_id: str) -> None:
    """A decision in words, and whether its stored inputs give the same verdict again."""
    screen = terminal(context)
    with screen.client() as client:
        found = client.why(decision_id)
    if screen.as_json:
        screen.print_json(found)
        return
    head = f"{found.verdict} · {found.kind} · {one_line(found.actor)} · {found.at:%Y-%m-%d %H:%M:%S} UTC"
    screen.write(screen.bold(head))
    for line in found.why:
        screen.write(f"  {one_line(line)}")
    again = "the same verdict" if found.recomputed else "ANOTHER verdict"
    screen.write(f"recomputed from its stored inputs ({found.digest[:19]}…): {again}")


def _warn(screen: Terminal, warnings: list[str]) -> None:
    for warning in warnings:
        screen.say(f"[yellow]warning[/yellow]: {warning}")


def act(context: typer.Context, rollout_id: str, verb: str, reason: str) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.act_on_rollout(rollout_id, verb, reason))


def follow(screen: Terminal, client: Client, started: RolloutView) -> None:
    """To its end; exit 1 unless it is promoted."""
    ended = watch(screen, lambda seen: client.wait_for_rollout(started.id, seen=seen), of_rollout)
    screen.show(ended, POLICY)
    if ended.phase != "Promoted":
        raise typer.Exit(FAILED)
