"""`python -m tests.trials.chaos.mutations`: spoils the design, way after way, and plays chaos until it is seen."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.processes import end_on_sigterm
from tests.trials.chaos.mutations import results
from tests.trials.chaos.mutations.catalogue import MUTATIONS
from tests.trials.chaos.mutations.mutation import Mutation, NotFound
from tests.trials.chaos.mutations.results import Caught
from tests.trials.chaos.mutations.stage import Stage, stage_for
from tests.trials.chaos.plan import TOPOLOGIES, Topology, plan_round

LATE = ("still moving", "GaveUp", "NotRecovered", "has not ended", " is Running", " is Pending")


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    end_on_sigterm()
    if asked.list:
        for mutation in MUTATIONS.values():
            _say(f"{mutation.name}: {mutation.breaks}")
        return 0
    chosen = [MUTATIONS[name] for name in asked.name or MUTATIONS]
    found: list[Caught] = []
    try:
        for topology in TOPOLOGIES if asked.topology is None else (asked.topology,):
            spoilt = [one for one in chosen if topology in one.topologies]
            for caught in hunts(topology, spoilt, asked.seeds, asked.logs):
                _say(caught.line())
                found.append(caught)
                if asked.out:
                    results.keep(asked.out, caught)
    except NotFound as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    if asked.docs:
        results.write_table(asked.docs, results.read(asked.out) if asked.out else found)
    return 0 if all(one.seed is not None for one in found) else 1


def hunts(topology: Topology, mutations: Sequence[Mutation], most: int, logs: Path) -> Iterator[Caught]:
    """Each mutation on the same site, put back to its beginning in between. Raises NotFound."""
    if not mutations:
        return
    with stage_for(topology) as stage:
        for mutation in mutations:
            _say(f"{mutation.name} on {topology}:")
            with stage.spoilt(mutation):
                yield hunt(stage, mutation, topology, most, logs / f"{mutation.name}-{topology}")


def hunt(stage: Stage, mutation: Mutation, topology: Topology, most: int, kept: Path) -> Caught:
    """Plays ordinary seeds, the likely ones first, until a round has a violation or so many were played."""
    began = time.monotonic()
    order = mutation.order([plan_round(seed, topology) for seed in range(1, 201)])[:most]
    for played, outcome in enumerate(stage.rounds(iter(order), kept), 1):
        if outcome.violations:
            said = telling(outcome.violations)
            return Caught(mutation.name, topology, outcome.plan.seed, played, said, time.monotonic() - began)
    return Caught(mutation.name, topology, None, most, "", time.monotonic() - began)


def telling(violations: Sequence[str]) -> str:
    """The first line that says what is wrong; that something took too long is only said when nothing else is."""
    wrong = [said for said in violations if not any(words in said for words in LATE)]
    return (wrong or violations)[0].splitlines()[0]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.chaos.mutations", description=__doc__)
    parser.add_argument("--name", action="append", choices=sorted(MUTATIONS), metavar="NAME",
                        help="only this one; may be given again (default: all)")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument("--topology", choices=TOPOLOGIES, help="only this one (default: each one that it spoils)")
    parser.add_argument("--seeds", type=int, default=12, help="give up after so many rounds (default: 12)")
    parser.add_argument("--logs", type=Path, default=Path(tempfile.gettempdir()) / "graftwork-mutations",
                        help="folder for what the runs say (default: %(default)s)")  # fmt: skip
    parser.add_argument("--out", type=Path, help="keep results in this JSON file, beside those that are in it")
    parser.add_argument("--docs", type=Path, help="write the table into this Markdown file")
    asked = parser.parse_args(arguments)
    if asked.seeds < 1:
        parser.error("--seeds: expected 1 or more")
    return asked


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
