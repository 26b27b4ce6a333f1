"""`python -m tests.trials.mutation`: does an edit of the code that matters most make a test fail?"""

import argparse
import json
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.trials.bench.host import commit
from tests.trials.mutation import mutants
from tests.trials.mutation.outcome import Explanations, document, faults, page

HERE: Final = Path(__file__).parent
RESULT: Final = HERE / "result.json"
PAGE: Final = HERE.parents[2] / "docs" / "mutation-testing.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.mutation", description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only-report", action="store_true", help="of the last run, with today's explanations")
    parser.add_argument("mutants", nargs="*", help="these only: names as mutmut has them, `*` for anything")
    options = parser.parse_args()
    if not options.only_report:
        mutants.run(options.processes, options.mutants)
    today, earlier = datetime.now(UTC).date().isoformat(), json.loads(RESULT.read_text())
    result = document(list(mutants.found()), explanations(), commit(), today, earlier)
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(page(result))
    for fault in (found := faults(result)):
        sys.stdout.write(f"{fault}\n")
    return 1 if found else 0


def explanations() -> Explanations:
    """explained.toml: why an edit of a function, given by its changed lines, cannot or need not be seen."""
    listed = tomllib.loads((HERE / "explained.toml").read_text())["survivor"]
    found: dict[str, dict[str, str]] = {}
    for entry in listed:
        for edit in entry["edits"]:
            found.setdefault(entry["function"], {})[edit.strip()] = entry["why"]
    return found


if __name__ == "__main__":
    sys.exit(main())
