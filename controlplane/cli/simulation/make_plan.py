"""What `graftwork rollout plan` computes: what a canary needs, before it starts."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, cast

from controlplane.cli.output import Terminal, refuse
from controlplane.cli.simulation.plan_in_words import show
from controlplane.cli.simulation.players import SEEDS_APART, Players
from controlplane.cli.simulation.policies import read_policy
from controlplane.cli.simulation.traffic import observed_traffic
from controlplane.simulation.plan import (
    Plan,
    Traffic,
    default_harms,
    harmful_world,
    healthy_world,
    hopeless,
    runs_for,
    summarize_plan,
)
from controlplane.simulation.report import OURS
from schemas.rollouts import CanaryPolicy
from schemas.serving import CanaryMetricName

HARM = re.compile(r"(error|wrong|abandoned)=(\d*\.?\d+)")


class Rates(NamedTuple):
    """What was given of the stable version; None: it was not."""

    error: float | None
    wrong: float | None
    abandoned: float | None
    labelled: float | None
    """The share of its answers that get a label."""


def run(
    screen: Terminal,
    deployment: str | None,
    policy: Path | None,
    rps: float | None,
    rates: Rates,
    harm: list[str],
    runs: int | None,
    seed: int,
    jobs: int,
) -> None:
    canary, known = _sources(screen, deployment, policy)
    if known is None and deployment and (rps is None or rates.error is None):
        refuse(f"no canary of {deployment} was observed yet: give its traffic with --rps and --stable-error")
    traffic = _traffic(canary, known, rps, rates)
    asked = [_harm(word, canary) for word in harm] or list(default_harms(canary, traffic).items())
    found = None if runs else hopeless(canary, traffic)
    if found is None:
        base = seed * SEEDS_APART
        with Players(canary, range(base, base + (runs or runs_for(canary, traffic))), jobs) as players:
            found = _plan(players, canary, traffic, asked)
    if screen.as_json:
        screen.print_json({"traffic": asdict(traffic), "plan": asdict(found)})
    else:
        show(screen, canary, traffic, found)


def _sources(screen: Terminal, deployment: str | None, policy: Path | None) -> tuple[CanaryPolicy, Traffic | None]:
    if (deployment is None) == (policy is None):
        refuse("give --deployment NAME, or --policy FILE with --rps and --stable-error")
    if policy is not None:
        return read_policy(policy), None
    assert deployment is not None
    with screen.client() as client:
        known = client.get_deployment(deployment)
        found = observed_traffic(client, known)
    canary = known.policy.canary
    if found is None:
        return canary, None
    screen.say(f"[dim]traffic as the decision of {found.at:%Y-%m-%d %H:%M} UTC saw it, rates of {found.version}[/dim]")
    return canary, found.traffic


def _traffic(
    policy: CanaryPolicy,
    known: Traffic | None,
    rps: float | None,
    given: Rates,
) -> Traffic:
    """What is given wins over what was observed."""
    error, wrong, abandoned, labelled = given
    if known is None:
        if rps is None or error is None:
            refuse("with --policy give --rps and --stable-error: what the stable version gets and how often it fails")
        if wrong is None and "wrong" in policy.metric_names():
            refuse("the policy has the metric `wrong`: give --stable-wrong, how often the stable version is wrong")
        if abandoned is None and "abandoned" in policy.metric_names():
            refuse(
                "the policy has the metric `abandoned`: give --stable-abandoned, how often callers hang up on stable"
            )
        return Traffic(rps, error, wrong or 0.0, 1.0 if labelled is None else labelled, abandoned or 0.0)
    return Traffic(
        known.units_per_second if rps is None else rps,
        known.stable_error if error is None else error,
        known.stable_wrong if wrong is None else wrong,
        known.labelled if labelled is None else labelled,
        known.stable_abandoned if abandoned is None else abandoned,
    )


def _harm(word: str, policy: CanaryPolicy) -> tuple[CanaryMetricName, float]:
    matched = HARM.fullmatch(word)
    if matched is None or not 0 < float(matched[2]) <= 1:
        refuse(f"--harm {word}: expected a metric and the canary's rate, as in error=0.05")
    metric = cast(CanaryMetricName, matched[1])
    if metric not in policy.metric_names():
        refuse(f"--harm {word}: the policy has no metric `{metric}`, only {', '.join(policy.metric_names())}")
    return metric, float(matched[2])


def _plan(
    players: Players, policy: CanaryPolicy, traffic: Traffic, asked: list[tuple[CanaryMetricName, float]]
) -> Plan:
    worlds = [healthy_world(policy, traffic), *(harmful_world(policy, traffic, *harm) for harm in asked)]
    healthy, *harms = players.play([(world, OURS) for world in worlds])
    return summarize_plan(policy, traffic, healthy, dict(zip(asked, harms, strict=True)))
