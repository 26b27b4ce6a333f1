"""What each imagined world's first minutes lead to for one seed; `python -m tests.support.kept_outcomes` keeps it anew.

Documents hold figures of campaigns of thousands of runs, and a campaign goes on from the runs that it kept: so a world
stays the same for its seed, and whoever changes one does it knowingly.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from controlplane.simulation.baselines import BASELINES, run_baseline
from controlplane.simulation.scenario import Scenario
from controlplane.simulation.scenarios import SCENARIOS
from controlplane.simulation.trial import run
from schemas.rollouts import CanaryPolicy, ErrorMetric, WrongMetric

FILE: Final = Path(__file__).parents[1] / "unit" / "controlplane" / "simulation" / "outcomes.json"
POLICY: Final = CanaryPolicy(
    metrics=(ErrorMetric(), WrongMetric(name="wrong", margin=0.05)),
    steps=(0.1, 0.5),
    step_seconds=20,
    step_units=50,
    max_seconds=240,
    label_wait_seconds=10,
)
"""A ladder that a few minutes climb."""
SECONDS: Final = 150
SEED: Final = 11


def shortened(name: str) -> Scenario:
    return replace(SCENARIOS[name], seconds=SECONDS)


def outcomes(name: str) -> dict[str, list[Any]]:
    """The fields of each outcome in their order, for our own policy and the baselines that it is compared with."""
    ours = {"graftwork": run(POLICY, shortened(name), SEED)}
    theirs = {baseline: run_baseline(baseline, POLICY, shortened(name), SEED) for baseline in BASELINES}
    return {contender: list(found) for contender, found in (ours | theirs).items()}


def kept() -> dict[str, dict[str, list[Any]]]:
    found: dict[str, dict[str, list[Any]]] = json.loads(FILE.read_text())
    return found


def main() -> None:
    lines = (f"{json.dumps(name)}: {json.dumps(outcomes(name))}" for name in sorted(SCENARIOS))
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
