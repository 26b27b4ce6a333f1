"""`python -m tests.trials.bench`: every number that we publish, each beside its alternative in the same run."""

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.support.missing import Missing
from tests.support.processes import end_on_sigterm
from tests.trials.bench import records as store
from tests.trials.bench.host import Host, Moment, commit, is_busy, this_host, this_moment
from tests.trials.bench.parts import Options, Parts, Unmeasured
from tests.trials.bench.records import Measurement, Results
from tests.trials.bench.report import Ratio
from tests.trials.bench.tables import compared, number, render

BENCHMARKS: Final = (
    "commit_price",
    "relay",
    "latency",
    "registry",
    "growth",
    "gateway",
    "decode",
    "fair",
    "rollback",
    "cli",
    "pages",
)
"""Modules beside this one, each with `measure(options) -> list[Ratio]`."""


def main(words: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(words)
    end_on_sigterm()
    if asked.render:
        return _render(asked.render)
    if unknown := sorted(set(asked.only) - set(BENCHMARKS)):
        return _refuse(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
    if asked.smoke and not asked.out:
        return _refuse("--smoke needs --out: its numbers mean nothing, and would replace what this machine measured")
    host = this_host()
    file = asked.out or store.FOLDER / f"{host.slug}.json"
    found = store.load(file) if file.exists() else Results()
    print(host, flush=True)
    not_measured = {}
    with Parts() as parts:
        options = Options(parts, asked.rounds, asked.smoke)
        for name in asked.only or BENCHMARKS:
            try:
                found = found.with_measured(name, _measured(name, host, options))
            except (Missing, Unmeasured) as error:
                not_measured[name] = str(error)
            else:
                store.save(found, file)  # after each: a run that is cut off keeps what it has
    print(f"\nresults: {file}")
    if not_measured:
        return _refuse("\n".join(f"{name} was NOT MEASURED: {why}" for name, why in not_measured.items()))
    return 0


def benchmark(name: str) -> Callable[[Options], list[Ratio]]:
    measure: Callable[[Options], list[Ratio]] = importlib.import_module(f"tests.trials.bench.{name}").measure
    return measure


def _measured(name: str, host: Host, options: Options) -> Measurement:
    began = this_moment()
    print(f"\n{name}", flush=True)
    _warn_of_others(began)
    ratios = tuple(benchmark(name)(options))
    ended = this_moment()
    for ratio in ratios:
        print(_line(ratio), flush=True)
    _warn_of_others(ended)
    return Measurement(host, commit(), began, ended, ratios, options.smoke)


def _warn_of_others(moment: Moment) -> None:
    if is_busy(moment):
        print(
            f"!!! THE MACHINE IS NOT IDLE ({moment.used:.0%} of it is in use): DO NOT PUBLISH THESE NUMBERS !!!",
            flush=True,
        )


def _line(ratio: Ratio) -> str:
    goal = "" if ratio.goal is None else f"  goal {ratio.goal}: {'met' if ratio.met else 'MISSED'}"
    ours, other = (" ".join(map(number, values)) for values in (ratio.ours, ratio.alternative))
    beside = f" | {ratio.against}: {other}" if other else ""
    return f"  {ratio.name}: {compared(ratio)}{goal}\n    {ratio.unit}: {ours}{beside}"


def _render(file: Path) -> int:
    if not file.is_file():
        return _refuse(f"{file}: no such file")
    results = store.load(file)
    if smoke := [name for name, one in results.benchmarks.items() if one.smoke]:
        return _refuse(f"{file}: {', '.join(smoke)} only ran, with --smoke: these numbers mean nothing")
    for written in render(results):
        print(f"written: {written}")
    return 0


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.bench", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds of each side (default: 5)")
    parser.add_argument("--out", type=Path, help="results, added to what the file has (default: one file a machine)")
    parser.add_argument(
        "--smoke", action="store_true", help="as little as possible: that it runs, not how fast; with --out"
    )
    parser.add_argument("--render", type=Path, metavar="RESULTS", help="only write tables of these results")
    return parser


if __name__ == "__main__":
    sys.exit(main())
