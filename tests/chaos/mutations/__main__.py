"""`python -m tests.chaos.mutations`: spoils the design in one way after another, and plays chaos until it is seen."""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.mutations import results
from tests.chaos.mutations.catalogue import MUTATIONS
from tests.chaos.mutations.mutation import Mutation, NotFound
from tests.chaos.mutations.results import Caught
from tests.chaos.mutations.tree import play, spoilt_copy
from tests.chaos.plan import TOPOLOGIES, Topology, plan_round


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    if asked.list:
        for mutation in MUTATIONS.values():
            _say(f"{mutation.name}: {mutation.breaks}")
        return 0
    chosen = [MUTATIONS[name] for name in asked.name or MUTATIONS]
    found: list[Caught] = []
    for mutation in chosen:
        for topology in _topologies(mutation, asked.topology, every=asked.every_topology):
            try:
                caught = hunt(mutation, topology, asked.seeds, asked.logs)
            except (NotFound, RuntimeError) as error:
                print(f"{mutation.name}: {error}", file=sys.stderr)  # noqa: T201
                return 2
            _say(caught.line())
            found.append(caught)
            if asked.out:
                results.keep(asked.out, caught)
    if asked.docs:
        results.write_table(asked.docs, found if not asked.out else results.read(asked.out))
    return 0 if all(one.seed is not None for one in found) else 1


def hunt(mutation: Mutation, topology: Topology, most: int, logs: Path) -> Caught:
    """Plays ordinary seeds, the likely ones first, until a round has a violation or so many were played."""
    began = time.monotonic()
    order = mutation.order([plan_round(seed, topology) for seed in range(1, 201)])
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{mutation.name}-{topology}.log"
    with spoilt_copy(mutation) as tree:
        for played, seed in enumerate(order[:most], 1):
            _say(f"{mutation.name} on {topology}: seed {seed}")
            if said := play(tree, topology, seed, log):
                return Caught(mutation.name, topology, seed, played, said[0].splitlines()[0], time.monotonic() - began)
    return Caught(mutation.name, topology, None, most, "", time.monotonic() - began)


def _topologies(mutation: Mutation, asked: Topology | None, *, every: bool) -> Sequence[Topology]:
    if asked is not None:
        return [asked] if asked in mutation.topologies else []
    return mutation.topologies if every else mutation.topologies[:1]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.mutations", description=__doc__)
    parser.add_argument("--name", action="append", choices=sorted(MUTATIONS), metavar="NAME",
                        help="only this one; may be given again (default: all)")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument("--topology", choices=TOPOLOGIES, help="only this one (default: the first that it spoils)")
    parser.add_argument("--every-topology", action="store_true", help="each one that it spoils")
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
