"""The end of the demo: versions, decisions with their evidence, where the time went, and how to look further."""

from typing import TYPE_CHECKING, Any

from rich.table import Table

from controlplane.cli.models import words
from schemas.views.models import VersionDetail

ENDS = ("SAFE", "HARM")

if TYPE_CHECKING:
    from controlplane.cli.demo.story import Story


def tell(story: "Story") -> bool:
    """Print it all; False when the demo did not show what it promises, which is said in words."""
    versions = [story.client.get_model_version(v.id) for v in story.client.list_model_versions("sentiment")][::-1]
    champion = story.client.get_model_version("sentiment@champion")
    if story.screen.as_json:
        story.screen.print_json(facts(story, versions, champion))
    else:
        story.screen.say("\n[bold]What happened[/bold]")
        story.screen.console.print(version_table(versions, champion))
        tell_decisions(story)
        tell_traffic(story)
        story.screen.console.print(time_table(story))
    faults = missing(story, champion)
    for fault in faults:
        story.screen.say(f"[red]NOT SHOWN: {fault}[/red]")
    if not faults:
        look_further(story)
    return not faults


def missing(story: "Story", champion: VersionDetail) -> list[str]:
    """What the demo promises and did not show."""
    phases = [rollout.phase for rollout in story.rollouts]
    faults = []
    if phases != ["Promoted", "Promoted", "RolledBack"]:
        faults.append(f"a first release, a promotion and a rollback; seen: {', '.join(phases) or 'nothing'}")
    score = test_score(champion)
    if score is None:
        faults.append("an evaluation of the champion")
    elif score["n"] < 1000 or score["value"] < story.size.minimum_accuracy:
        faults.append(
            f"test accuracy of at least {story.size.minimum_accuracy:.2f} on at least 1,000 rows: "
            f"{score['value']:.4f} on {score['n']}"
        )
    return faults


def test_score(version: VersionDetail) -> dict[str, Any] | None:
    """The newest evaluation on test rows."""
    scores = [a.data["accuracy"] for a in version.attachments if a.kind == "evaluation" and a.data["split"] == "test"]
    return scores[-1] if scores and isinstance(scores[-1], dict) else None


def version_table(versions: list[VersionDetail], champion: VersionDetail) -> Table:
    table = Table("version", "what was learnt about it", box=None, header_style="bold", pad_edge=False)
    for version in versions:
        mark = " [green]champion[/green]" if version.id == champion.id else ""
        lines = "\n".join(f"{a.kind}: {words(a)}" for a in version.attachments)
        table.add_row(f"{version.model}/{version.version}{mark}", lines)
    return table


def tell_decisions(story: "Story") -> None:
    """Each rollout's decisions in a line, and of the one that ended a canary its evidence."""
    say = story.screen.console.print
    for rollout in story.rollouts:
        version = story.client.get_model_version(rollout.model_version_id)
        say(f"\n[bold]{version.model}/{version.version} → {rollout.deployment}: {rollout.phase}[/bold]")
        for decision in story.client.list_decisions(rollout.id):
            why = story.client.why(decision.id)
            again = "" if why.recomputed else " [red](recomputed: ANOTHER verdict)[/red]"
            say(f"  {decision.kind:12s} {decision.verdict:9s} {decision.reason}{again}")
            if decision.verdict in ENDS:
                say(f"[dim]  {'':22s} graftwork why {decision.id} → the same again, from its stored inputs:[/dim]")
                for line in why.why:
                    say(f"  {'':22s} {line}", markup=False, style="dim")


def tell_traffic(story: "Story") -> None:
    total = sum(tally.sent for tally in story.traffic)
    failed = sum(tally.failed for tally in story.traffic)
    late = sum(tally.late for tally in story.traffic)
    story.screen.say(f"\n{total:,} live requests, {failed} failed, {late} not sent because this machine was busy")


def time_table(story: "Story") -> Table:
    """Wall seconds by chapter, and of each job its wall and CPU seconds."""
    table = Table("where the time went", "wall s", "CPU s", box=None, header_style="bold", pad_edge=False)
    for title, seconds in story.stages:
        table.add_row(title, f"{seconds:.0f}", "")
    for job in sorted(story.client.list_jobs(), key=lambda one: one.created_at):
        wall = (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else 0.0
        cpu = f"{job.usage.cpu_seconds:.1f}" if job.usage else ""
        table.add_row(f"  job {job.kind}", f"{wall:.1f}", cpu)
    return table


def facts(story: "Story", versions: list[VersionDetail], champion: VersionDetail) -> dict[str, Any]:
    """The same for machines."""
    return {
        "champion": champion,
        "versions": versions,
        "rollouts": story.rollouts,
        "chapters": [{"title": title, "wall_seconds": round(seconds, 1)} for title, seconds in story.stages],
        "jobs": list(story.client.list_jobs()),
        "traffic": [vars(tally) for tally in story.traffic],
    }


def look_further(story: "Story") -> None:
    home = story.screen.settings.home
    story.screen.say(
        f"\n[bold]Look further[/bold] (the data stays in {home}; [bold]graftwork up[/bold] shows it again)\n"
        "  graftwork up &                               everything again, with the champion serving\n"
        "  graftwork model get sentiment@champion       what it is made of, and what was learnt about it\n"
        "  graftwork model history sentiment champion   who moved it, when, why\n"
        "  graftwork events list                        the whole journey, in order\n"
        "  graftwork trigger evaluations                why a trigger fired, or did not\n"
        "  graftwork why DECISION                       any decision above, recomputed from its inputs"
    )
