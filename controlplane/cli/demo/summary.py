"""What the demo showed: gathered for its last screen or as JSON, and judged against what it promises."""

from collections import defaultdict
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType

from controlplane.cli.demo.case import Case
from controlplane.cli.demo.ending import Ending, Release, Spent, ending
from controlplane.domain.waits import SHORT_ID
from controlplane.settings import Settings
from schemas.evidence import FindingOnRows, Measurement
from schemas.views.jobs import JobView
from schemas.views.models import VersionDetail
from schemas.views.rollouts import DecisionView, RolloutDetail

ENDS = ("SAFE", "HARM")
PICTURE_COLUMNS = 100
BUSY = (
    "A request fails when no answer comes in time or the gateway refuses more work, and is not sent while others wait: "
    "this machine was busy, which is no worry; the canary is judged by what the gateway answered."
)

if TYPE_CHECKING:
    from controlplane.cli.demo.story import Story


def tell(story: "Story", picture: Path | None) -> bool:
    """Print it all; False when the demo did not show what it promises, which is said in words."""
    versions = {v.id: story.client.get_model_version(v.id) for v in story.client.list_model_versions(story.case.model)}
    champion = story.client.get_model_version(f"{story.case.model}@champion")
    if story.screen.as_json:
        story.screen.print_json(facts(story, list(versions.values())[::-1], champion))
    else:
        releases = [release(story, rollout, versions[rollout.model_version_id], champion) for rollout in story.rollouts]
        screen = ending(gather(story, releases))
        story.screen.console.print(screen)
        if picture:
            draw(screen, picture)
    faults = missing(story, champion)
    for fault in faults:
        story.screen.say(f"[red]NOT SHOWN: {fault}[/red]")
    return not faults


def draw(screen: RenderableType, file: Path) -> None:
    """The last screen as SVG."""
    console = Console(record=True, width=PICTURE_COLUMNS, file=StringIO(), force_terminal=True)
    console.print(screen)
    console.save_svg(str(file), title="graftwork demo")


def release(story: "Story", rollout: RolloutDetail, version: VersionDetail, champion: VersionDetail) -> Release:
    decision = last_word(story.client.list_decisions(rollout.id))
    again = "" if story.client.why(decision.id).recomputed else " (recomputed: ANOTHER verdict)"
    return Release(
        version=f"{version.model}/{version.version}",
        is_champion=version.id == champion.id,
        figures=figures(story.case, version),
        phase=rollout.phase,
        waived=rollout.waived_gates is not None,
        verdict=decision.verdict,
        decision=str(decision.id)[:SHORT_ID],
        reason=decision.reason + again,
    )


def last_word(decisions: list[DecisionView]) -> DecisionView:
    """The verdict of a canary's evidence; without a canary whatever was decided last."""
    return next((one for one in reversed(decisions) if one.verdict in ENDS), decisions[-1])


def figures(case: Case, version: VersionDetail) -> tuple[str, ...]:
    """What was measured of the version, in the order of the case's headings."""
    scores = [test_score(version, metric) for _, metric in case.figures]
    measured = [f"{one.value:.4f} [{one.low:.3f}, {one.high:.3f}]" if one else "not measured" for one in scores]
    return (*measured, *([broken(version)] if case.attacked else []))


def headings(case: Case) -> tuple[str, ...]:
    return (*(heading for heading, _ in case.figures), *(["broken by attack"] if case.attacked else []))


def broken(version: VersionDetail) -> str:
    attacks = [a.data for a in version.attachments if a.kind == "attack"]
    if not attacks:
        return "not attacked"
    found = attacks[-1]["success_rate"]
    worst = FindingOnRows.model_validate(attacks[-1]).measured("attack_success_rate_at_worst")
    assert isinstance(found, dict)
    assert worst is not None
    return f"{found['value']:.0%}, at worst {worst.value:.0%}"


def gather(story: "Story", releases: list[Release]) -> Ending:
    sent, failed, late = (sum(getattr(one, name) for one in story.traffic) for name in ("sent", "failed", "late"))
    skipped = f", {late} not sent" if late else ""
    home = story.screen.settings.home
    return Ending(
        headings(story.case),
        releases,
        spent(story.client.list_jobs()),
        f"{sent:,} live requests, {failed} failed{skipped}",
        sum(seconds for _, seconds in story.stages),
        BUSY if failed or late else "",
        "" if home == Settings.model_fields["home"].default else str(home),
        f"{story.case.model}@champion",
    )


def spent(jobs: Any) -> list[Spent]:
    by_kind: dict[str, list[JobView]] = defaultdict(list)
    for job in sorted(jobs, key=lambda one: one.created_at):
        by_kind[job.kind].append(job)
    return [Spent(kind, len(some), sum(map(wall, some)), sum(map(cpu, some))) for kind, some in by_kind.items()]


def wall(job: JobView) -> float:
    return (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else 0.0


def cpu(job: JobView) -> float:
    return job.usage.cpu_seconds if job.usage else 0.0


def missing(story: "Story", champion: VersionDetail) -> list[str]:
    """What the demo promises and did not show."""
    phases = [rollout.phase for rollout in story.rollouts]
    faults = []
    if phases != ["Promoted", "Promoted", "RolledBack"]:
        faults.append(f"a first release, a promotion and a rollback; seen: {', '.join(phases) or 'nothing'}")
    case, least = story.case, story.size.minimum
    score = test_score(champion, case.promised)
    if score is None:
        faults.append("an evaluation of the champion")
    elif score.n < case.held_out or score.value < least:
        faults.append(
            f"{case.promised} of at least {least:.2f} on at least {case.held_out:,} test rows: "
            f"{score.value:.4f} on {score.n}"
        )
    return faults


def test_score(version: VersionDetail, metric: str) -> Measurement | None:
    """By the newest evaluation on test rows."""
    evaluations = [FindingOnRows.model_validate(a.data) for a in version.attachments if a.kind == "evaluate"]
    scores = [one.measured(metric) for one in evaluations if one.conditions.split == "test"]
    return scores[-1] if scores else None


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
