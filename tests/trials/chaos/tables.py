"""`python -m tests.trials.chaos.tables kafka.json embedded.json`: what `--out` has kept, as tables."""

import argparse
import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from schemas.marked import marks, write_part
from tests.trials.chaos.report import WORDS

PART: Final = "recovery"
"""Its marks in a document."""
HEAD: Final = "| process | fault | times | recovery p50, s | max, s |\n|---|---|---:|---:|---:|"


def table(found: dict[str, Any]) -> str:
    """One topology: how much was done, and one row for each process kind and fault."""
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in found["recoveries"]:
        seconds[one["kind"], one["action"]].append(one["seconds"])
    rows = [
        f"| {kind} | {WORDS[action]} | {len(all_)} | {statistics.median(all_):.1f} | {max(all_):.1f} |"
        for (kind, action), all_ in sorted(seconds.items())
    ]
    return "\n".join([_summary(found), "", HEAD, *rows])


def _summary(found: dict[str, Any]) -> str:
    seeds, failed = found["seeds"], found["failed"]
    done = ", ".join(f"{count:,} {name}" for name, count in found["done"].items())
    crashed = sum(map(len, found["crashes"].values()))
    return (
        f"**{found['topology']}**: {len(seeds)} seeds ({min(seeds)} to {max(seeds)}), {len(failed)} failed"
        f"{' (' + ', '.join(failed) + ')' if failed else ''}, {crashed} processes that ended by themselves; {done}; "
        f"{found['seconds'] / found['played']:.1f} s a round; commit {', '.join(found['commits'])}."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.chaos.tables", description=__doc__)
    parser.add_argument(
        "results", type=Path, nargs="+", help="files that `python -m tests.trials.chaos --out` has written"
    )
    parser.add_argument("--docs", type=Path, help=f"between {' and '.join(marks(PART))} of this file")
    asked = parser.parse_args(arguments)
    text = "\n\n".join(table(json.loads(file.read_text())) for file in asked.results)
    if asked.docs is None:
        print(text)  # noqa: T201
        return 0
    try:
        write_part(asked.docs, PART, text)
    except ValueError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
