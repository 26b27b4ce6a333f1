"""`graftwork rollout …`, `graftwork why …`"""

from itertools import islice
from typing import Annotated

import typer

from controlplane.cli.output import FAILED, Limit, Terminal, terminal
from controlplane.cli.progress import of_rollout
from controlplane.cli.simulation.plan_verb import plan
from controlplane.cli.table import one_line
from controlplane.cli.verbs.deployments import POLICY, WhichHold, warn
from controlplane.cli.verbs.jobs import Wait
from controlplane.cli.verbs.models import Reason
from controlplane.cli.watching import watch
from controlplane.client import Client
from schemas.phases import FINAL_ROLLOUT_PHASES
from schemas.views.rollouts import RolloutView

rollout = typer.Typer(no_args_is_help=True, help="Rollouts: gates, canary, promotion.")


def register(app: typer.Typer) -> None:
    rollout.command()(plan)
    app.add_typer(rollout, name="rollout")
    app.command()(why)


@rollout.command()
def start(
    context: typer.Context,
    deployment: str,
    version: Annotated[str, typer.Argument(help="id, name/7 or name@alias")],
    reason: Reason,
    waive_gates: Annotated[str | None, typer.Option(help="why gates shall not stop it; role releaser, audited")] = None,
    wait: Wait = False,
) -> None:
    """Put a version on its way. Exit 1 when it has ended at once without being promoted; only -w waits for more."""
    screen = terminal(context)
    with screen.client() as client:
        started = client.start_rollout(deployment, version, reason=reason, waive_gates=waive_gates)
        warn(screen, client.get_deployment(deployment).warnings)
        if wait:
            follow(screen, client, started)
        else:
            screen.show(started)
            _exit_if_it_ended_badly(started)


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


@rollout.command()
def evidence(context: typer.Context, rollout_id: str) -> None:
    """How it grew, metric by metric, beside what HARM and SAFE ask for: block by block, made anew from counts."""
    from controlplane.cli.verbs.evidence import pictures  # here: only this verb draws

    screen = terminal(context)
    with screen.client() as client:
        found = client.get_evidence(rollout_id)
    if screen.as_json:
        screen.print_json(found)
    else:
        screen.write("\n".join(pictures(found, screen.width)) or "none before the canary gets traffic")


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
    screen.point_at(found)


def act(context: typer.Context, rollout_id: str, verb: str, reason: str) -> None:
    screen = terminal(context)
    with screen.client() as client:
        screen.show(client.act_on_rollout(rollout_id, verb, reason))


def follow(screen: Terminal, client: Client, started: RolloutView) -> None:
    """To its end; exit 1 unless it is promoted."""
    ended = watch(screen, lambda seen: client.wait_for_rollout(started.id, seen=seen), of_rollout)
    screen.show(ended, POLICY)
    _exit_if_it_ended_badly(ended)


def _exit_if_it_ended_badly(rollout: RolloutView) -> None:
    if rollout.phase in FINAL_ROLLOUT_PHASES and rollout.phase != "Promoted":
        raise typer.Exit(FAILED)
