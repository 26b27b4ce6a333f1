"""A canary's plan in words."""

from collections.abc import Iterator

from controlplane.cli.output import Terminal
from controlplane.simulation.plan import HarmPlan, Plan, Traffic
from controlplane.simulation.report import Share, Spread
from schemas.rollouts import CanaryPolicy


def show(screen: Terminal, policy: CanaryPolicy, traffic: Traffic, plan: Plan) -> None:
    for line in (*_traffic(policy, traffic), *_healthy(plan), *_harms(plan)):
        screen.console.print(line, soft_wrap=True)


def _traffic(policy: CanaryPolicy, traffic: Traffic) -> Iterator[str]:
    what = "sessions" if policy.randomize == "session" else "requests"
    wrong = ""
    if "wrong" in policy.metric_names():
        wrong = f", {traffic.stable_wrong:.2%} wrong of the {traffic.labelled:.0%} that get a label"
    left = f", {traffic.stable_abandoned:.2%} abandoned" if "abandoned" in policy.metric_names() else ""
    rates = f"{traffic.stable_error:.2%} errors{left}{wrong}"
    yield f"[bold]traffic[/bold]: {traffic.units_per_second:g} {what}/s, {rates}"


def _healthy(plan: Plan) -> Iterator[str]:
    yield "[bold]a canary as good as the stable version[/bold]"
    if plan.never:
        yield f"  [red]cannot be promoted[/red]: {plan.never}"
    if healthy := plan.healthy:
        yield f"  promoted: {_share(healthy.promoted)}{_when(healthy.seconds, healthy.canary_units)}"
        yield f"  rolled back by mistake: {_share(healthy.rolled_back)}"


def _harms(plan: Plan) -> Iterator[str]:
    for harm in plan.harms:
        yield f"[bold]a canary with {harm.rate:.2%} {_word(harm)}[/bold]"
        yield f"  rolled back: {_share(harm.caught)}{_when(harm.seconds, harm.canary_units)}"
        yield f"  promoted: {_share(harm.promoted)}"
        yield "  caught within canary requests: " + _within(harm.caught_within_units, "{}")
        yield "  caught within time: " + _within(
            {_short(n): share for n, share in harm.caught_within_seconds.items()}, "{}"
        )
        extra = max(0.0, harm.bad_answers - harm.bad_answers_of_stable)
        yield f"  bad answers until then: {harm.bad_answers:.0f} on average, {extra:.0f} more than the stable version's"
    note = (
        f"[dim]{plan.runs} imagined rollouts each through the product's own fold, followed for at most "
        f"{_time(plan.simulated_seconds)}; 95 % Clopper-Pearson intervals in brackets[/dim]"
    )
    yield note if plan.runs else "[dim]nothing was played; --runs N plays it all the same[/dim]"


def _word(harm: HarmPlan) -> str:
    return {"error": "errors", "wrong": "wrong answers", "abandoned": "callers who hang up"}[harm.metric]


def _within(found: dict[int, Share] | dict[str, Share], form: str) -> str:
    return ", ".join(f"{form.format(limit)}: {share.share:.0%}" for limit, share in found.items())


def _share(share: Share) -> str:
    return f"{share.share:.1%} \\[{share.low:.1%}, {share.high:.1%}]"


def _when(seconds: Spread | None, units: Spread | None) -> str:
    if seconds is None or units is None:
        return ""
    return (
        f", after {_time(seconds.median)} and {units.median:.0f} canary requests "
        f"(one in ten: {_time(seconds.p90)}, {units.p90:.0f})"
    )


def _short(seconds: int) -> str:
    return f"{seconds // 60} min"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
