"""From the decision to roll back to the last answer of the bad version, with two gateways under open-loop load."""

import math
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

from controlplane.client.client import Client
from schemas.views.rollouts import RolloutDetail
from tests.support.cargo import DEPLOYMENT, MODEL
from tests.support.waiting import wait_for
from tests.trials.bench.parts import Options, Unmeasured
from tests.trials.bench.report import Goal, Ratio
from tests.trials.load.arrivals import schedule
from tests.trials.load.generator import Done, run
from tests.trials.load.site import Site
from tests.trials.load.targets import World

RATE = 25
"""Predictions a second: about a third of what one core computes."""
TIMES = 20
LONGEST_SECONDS = 1800.0
"""A bound for the schedule; the load ends when the last rollback has."""
STABLE, BAD = f"{MODEL}/1", f"{MODEL}/2"
"""As `x-model-version` names them."""
GOAL = Goal("at most", 1.0)
NOTE = (
    f"{RATE:g} predictions/s and as many labels, Poisson, two gateways, embedded mode; looked for to the next rollout"
)
SEEN_SECONDS = 3.0
"""So shortly before it is left the bad version has answered: with half of the traffic, a dozen times a second."""


def measure(options: Options) -> list[Ratio]:
    times = options.size(TIMES, 1)
    rate = options.size(RATE, 10)
    found = options.parts.site
    by_hand, failed_by_hand = _under_load(found, rate, lambda client: [_roll_back(found, client) for _ in range(times)])
    by_harm, failed_by_harm = _under_load(found, rate, lambda client: [_harm(found, client) for _ in range(times)])
    failed = failed_by_hand + failed_by_harm
    kinds = "".join(f"; {count} x {outcome}" for outcome, count in failed.most_common())
    return [
        *_ratios("rollback by a person: the API's answer to the last answer of the bad version", by_hand),
        *_ratios("rollback by HARM: the decision to the last answer of the bad version", by_harm),
        Ratio(
            "rollbacks: requests that failed",
            "requests",
            (float(failed.total()),),
            compare="ours",
            goal=Goal("at most", 0),
            note=f"{2 * times} rollbacks; {NOTE}{kinds}",
        ),
    ]


def _ratios(name: str, seconds: list[float]) -> list[Ratio]:
    slowest = Ratio(f"{name}: slowest of {len(seconds)}", "s", (max(seconds),), compare="ours", goal=GOAL, note=NOTE)
    return [Ratio(name, "s", tuple(seconds), compare="ours", goal=GOAL, note=NOTE), slowest]


@dataclass(frozen=True)
class Left:
    """One time that the bad version was left, in wall-clock seconds."""

    asked: float
    """For the rollout that let it in: nothing of it is served before."""
    decided: float


def seconds_to_last(bad: Sequence[float], times: Sequence[Left]) -> list[float]:
    """From each decision to the last answer of the bad version before the next rollout was asked for.

    Raises Unmeasured when it did not answer shortly before a decision: then that it is silent afterwards says nothing.
    """
    found = []
    for one, after in pairwise([*times, Left(math.inf, math.inf)]):
        if not any(max(one.asked, one.decided - SEEN_SECONDS) < done <= one.decided for done in bad):
            raise Unmeasured(
                f"rollback {len(found) + 1} of {len(times)}: no answer of the bad version was seen in the "
                f"{SEEN_SECONDS:g} s before it was left ({len(bad)} of its answers were seen in all)"
            )
        found.append(max(done - one.decided for done in (one.decided, *bad) if done < after.asked))
    return found


def _under_load(found: Site, rate: int, drive: Callable[[Client], list[Left]]) -> tuple[list[float], Counter[str]]:
    """Seconds from each decision to the last answer of the bad version, and how many requests failed."""
    done: list[Done] = []
    ended = threading.Event()
    times: list[Left] = []
    faults: list[BaseException] = []

    def drive_and_end() -> None:
        try:
            with found.client() as client:
                times.extend(drive(client))
        except BaseException as fault:
            faults.append(fault)
        finally:
            ended.set()

    world = World(found.api, found.token, found.gateways, found.rows, MODEL, judge=_against_the_canary)
    arrivals = schedule(
        {"predict": 1, "feedback": 1}, rate=2 * rate, seconds=LONGEST_SECONDS, spacing="poisson", seed=1
    )
    thread = threading.Thread(target=drive_and_end)
    thread.start()
    run(world, (due for due in arrivals if not ended.is_set()), done.append)
    thread.join()
    if faults:
        raise faults[0]
    predictions = [one for one in done if one.target == "predict"]
    answers = [one for one in predictions if one.outcome == "200"]
    if strange := {one.version for one in answers} - {STABLE, BAD}:
        raise Unmeasured(f"answers of versions that nobody released: {sorted(strange)}")
    bad = [one.done for one in answers if one.version == BAD]
    failed = Counter(one.outcome for one in predictions if one.outcome != "200")
    return seconds_to_last(bad, times), failed


def _against_the_canary(predicted: str, _truth: str, variant: str) -> str:
    """Users who find the stable version always right and the canary always wrong."""
    return predicted if variant == "stable" else "negative" if predicted == "positive" else "positive"


def _roll_back(found: Site, client: Client) -> Left:
    """The bad version becomes the champion by somebody's word, serves for a moment, and is rolled back."""
    asked = time.time()
    rollout = _start(found, client)
    client.act_on_rollout(rollout.id, "promote", "bench: a bad version becomes the champion")
    _wait_until_served(found, client, found.versions[1])
    time.sleep(random.Random(str(rollout.id)).uniform(0.5, 1.5))  # at any moment of the processes' own rhythms
    rollback = client.rollback(DEPLOYMENT, "bench: complaints")
    answered = time.time()
    wait_for(
        lambda: client.list_rollbacks(DEPLOYMENT)[0].phase == "Succeeded", f"rollback {rollback.id} ends", seconds=60
    )
    _wait_until_served(found, client, found.versions[0])
    time.sleep(1.0)
    client.resume_deployment(DEPLOYMENT)
    return Left(asked, answered)


def _harm(found: Site, client: Client) -> Left:
    """The canary's answers are all wrong, say its users."""
    asked = time.time()
    rollout = _start(found, client)
    ended = client.wait_for_rollout(rollout.id, seconds=120)
    assert ended.phase == "RolledBack", f"{ended.phase}: {ended.reason}"
    [decision] = [one for one in client.list_decisions(rollout.id) if one.verdict == "HARM"]
    time.sleep(2.0)
    return Left(asked, decision.at.timestamp())


def _start(found: Site, client: Client) -> RolloutDetail:
    """Its canary has weight when this returns."""
    rollout = client.start_rollout(DEPLOYMENT, str(found.versions[1]), reason="bench: a bad version")
    return wait_for(
        lambda: one if (one := client.get_rollout(rollout.id)).phase in ("Progressing", "RolledBack") else None,
        "the canary has weight",
        seconds=60,
    )


def _wait_until_served(found: Site, client: Client, version: UUID) -> None:
    """Every gateway has said that it applies the generation whose stable version this is."""

    def look() -> bool:
        deployment = client.get_deployment(DEPLOYMENT)
        gateways = [one for one in client.list_gateways(DEPLOYMENT) if one.live]
        desired = deployment.desired
        return (
            desired is not None
            and desired.stable == version
            and len(gateways) == len(found.gateways)
            and all(one.generation == deployment.generation for one in gateways)
        )

    wait_for(look, f"all gateways serve {version}", seconds=60)
