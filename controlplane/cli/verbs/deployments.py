"""`graftwork deployment …`"""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from controlplane.cli import documents, specs
from controlplane.cli.output import Limit, Terminal, terminal
from controlplane.cli.verbs.histories import show_history
from controlplane.cli.verbs.models import Reason, Why
from controlplane.domain.waits import frozen
from schemas.rollouts import DeploymentSpec

deployment = typer.Typer(no_args_is_help=True, help="Deployments: what serves, by which policy; rollback.")

POLICY = ("policy",)
"""Forty lines of it would hide what a verb did: `deployment get`, `rollout get` and --json show them."""
WhichHold = Annotated[str | None, typer.Option(help="its id; default: the only one that stands")]


def register(app: typer.Typer) -> None:
    app.add_typer(deployment, name="deployment")


@deployment.command()
def apply(context: typer.Context, file: Path, reason: Why = None) -> None:
    """Create a deployment or change its policy, from a YAML file. What changes something is a new revision."""
    screen = terminal(context)
    document = documents.named(file)
    with screen.client() as client:
        applied = client.put_deployment(document.pop("name"), document, reason)
        screen.show(applied, POLICY)
        warn(screen, applied.warnings)


@deployment.command("list")
def list_deployments(context: typer.Context) -> None:
    screen = terminal(context)
    with screen.client() as client:
        desired = ("stable_version", "canary_version", "weight", "reason")
        columns = ("name", "alias", "generation", *(f"desired.{one}" for one in desired), "frozen")
        screen.rows(list(client.list_deployments()), columns, empty="no deployments")


@deployment.command()
def fleet(
    context: typer.Context,
    under_way: Annotated[
        bool, typer.Option("--under-way", help="those alone where something goes on or waits")
    ] = False,
    limit: Limit = 200,
) -> None:
    """Every deployment in a line: what serves, what is under way, and what waits for a person."""
    screen = terminal(context)
    with screen.client() as client:
        rows = list(islice(client.list_fleet(under_way=under_way or None), limit))
    columns = ("deployment", "stable_version", "canary_version", "weight", "rollout.phase", "rollout.verdict")
    screen.rows(rows, (*columns, "rollout.waits_for", "frozen_reason", "held"), empty="no deployments")


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


def warn(screen: Terminal, warnings: list[str]) -> None:
    for warning in warnings:
        screen.say(f"[yellow]warning[/yellow]: {warning}")
