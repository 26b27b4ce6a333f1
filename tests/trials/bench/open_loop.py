"""Predictions that arrive as they please, whatever came of the ones before, and are timed from when they were due."""

import random
from collections.abc import Sequence

from tests.support.cargo import MODEL
from tests.trials.bench.report import percentile
from tests.trials.load.arrivals import schedule
from tests.trials.load.generator import Done, run
from tests.trials.load.report import kept_up
from tests.trials.load.site import Site
from tests.trials.load.targets import World


def predictions(found: Site, *, rate: float, seconds: float, seed: int) -> list[Done]:
    """Poisson arrivals of one row each at the first gateway; a seed stands for the same arrivals of the same texts."""
    done: list[Done] = []
    world = World(found.api, found.token, found.gateways[:1], found.rows, MODEL, dice=random.Random(seed))
    due = schedule({"predict": 1}, rate=rate, seconds=seconds, spacing="poisson", seed=seed)
    result = run(world, due, done.append)
    if not kept_up(result):
        print(f"    the generator fell behind: left late by p99 {result.lag.percentile(99)} ms")
    return done


def failures(done: Sequence[Done]) -> list[str]:
    return [one.outcome for one in done if one.outcome != "200"]


def p99_ms(done: Sequence[Done]) -> float:
    """Failed ones too: whoever waited for nothing has waited."""
    return percentile([(one.done - one.intended) * 1e3 for one in done], 99)
