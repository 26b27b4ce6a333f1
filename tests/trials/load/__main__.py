"""`python -m tests.trials.load`: open-loop load on a Graftwork of its own, or on one that runs already.

Examples:
  python -m tests.trials.load --rate 60 --seconds 60                      # starts `graftwork up` with a trained model
  python -m tests.trials.load --topology kafka --rate 60 --seconds 60     # the same on Kafka and PostgreSQL
  python -m tests.trials.load --api http://127.0.0.1:8700 --token-file .graftwork/admin.token \\
      --gateway http://127.0.0.1:8710 --model sentiment --rows reviews.csv --mix predict=10,feedback=5

Ends with status 1 when a request was not answered well, when nothing was asked, or when the generator fell behind;
with 2 when it could not run.
"""

import argparse
import csv
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from tests.support.cargo import MODEL
from tests.support.missing import Missing
from tests.trials.load.arrivals import parse_mix, schedule
from tests.trials.load.generator import Done, Watch, run
from tests.trials.load.prepared import curation
from tests.trials.load.report import to_json, to_text, unanswered
from tests.trials.load.site import site
from tests.trials.load.targets import TARGETS, World

MIX = "predict=50,feedback=20,champion=15,lists=5,event=5,submit=2,cancel=2,work=0.1"


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        mix = parse_mix(options.mix, TARGETS)
        with ExitStack() as stack:
            world = stack.enter_context(_world(options))
            record = stack.enter_context(options.record.open("w")) if options.record else None
            due = schedule(mix, rate=options.rate, seconds=options.seconds, spacing=options.arrivals, seed=options.seed)
            document = to_json(run(world, due, _recorder(record)), _conditions(options, mix))
    except (ValueError, OSError, Missing) as error:
        print(f"load: {error}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    print(to_text(document))
    asked = {name for name, target in document["targets"].items() if target["sent"]}
    return 0 if asked and not unanswered(document, asked) and document["generator"]["kept_up"] else 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.trials.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=_positive, default=50, help="requests a second, all targets together")
    parser.add_argument("--seconds", type=_positive, default=60)
    parser.add_argument("--mix", default=MIX, help=f"shares of {', '.join(TARGETS)} (default: {MIX})")
    parser.add_argument("--arrivals", choices=("poisson", "fixed"), default="poisson")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same schedule")
    parser.add_argument("--rows-per-request", type=int, default=1, help="texts of one prediction")
    parser.add_argument("--json", type=Path, help="write the result there")
    parser.add_argument("--record", type=Path, help="write a JSON line for every request there")
    own = parser.add_argument_group("without --api a system of its own is started")
    own.add_argument("--topology", choices=("embedded", "kafka"), default="embedded")
    given = parser.add_argument_group("a system that runs already")
    given.add_argument("--api", help="its URL")
    given.add_argument("--token-file", type=Path, help="of role admin where the mix has feedback, else of operator")
    given.add_argument("--gateway", action="append", default=[], help="its URL; once for each gateway")
    given.add_argument("--model", default=MODEL)
    given.add_argument("--rows", type=Path, help="CSV with columns text and label")
    given.add_argument("--job", type=Path, help="JSON of the jobs to ask for: kind and spec")
    return parser.parse_args(arguments)


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value


@contextmanager
def _world(options: argparse.Namespace) -> Iterator[World]:
    if options.api:
        yield _given(options)
        return
    with (
        tempfile.TemporaryDirectory(prefix="graftwork-load-") as folder,
        site(options.topology, Path(folder), {}) as started,
    ):
        yield World(
            started.api,
            started.token,
            started.gateways,
            started.rows,
            MODEL,
            options.rows_per_request,
            {"kind": "curate", "spec": curation(60, name="load")},
        )


def _given(options: argparse.Namespace) -> World:
    missing = [name for name in ("token_file", "gateway", "rows") if not getattr(options, name)]
    if missing:
        raise ValueError(f"--api needs {' and '.join('--' + name.replace('_', '-') for name in missing)} too")
    with options.rows.open(newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file) if row.get("text")]
    if not rows:
        raise ValueError(f"{options.rows}: expected a CSV with the columns text and label")
    token = options.token_file.read_text().strip()
    job = json.loads(options.job.read_text()) if options.job else {"kind": "curate", "spec": curation(60, name="load")}
    return World(options.api, token, options.gateway, rows, options.model, options.rows_per_request, job)


def _conditions(options: argparse.Namespace, mix: dict[str, float]) -> dict[str, Any]:
    return {
        "rate": options.rate,
        "seconds": options.seconds,
        "mix": mix,
        "arrivals": options.arrivals,
        "seed": options.seed,
        "rows_per_request": options.rows_per_request,
        "system": options.api or options.topology,
        "python": platform.python_version(),
    }


def _recorder(file: TextIO | None) -> Watch:
    def record(done: Done) -> None:
        if file is not None:
            file.write(json.dumps(vars(done)) + "\n")

    return record


if __name__ == "__main__":
    sys.exit(main())
