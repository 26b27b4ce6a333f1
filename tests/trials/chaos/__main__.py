"""`python -m tests.trials.chaos`: kills, stops and cuts off every part of a running site, seed after seed."""

import argparse
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.support import broker, postgres_server
from tests.support.processes import end_on_sigterm
from tests.trials.chaos import evidence, report, tables
from tests.trials.chaos.embedded_site import EmbeddedSite
from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.kafka_site import KafkaSite
from tests.trials.chaos.plan import TOPOLOGIES, Topology, choose_sample, plan_round
from tests.trials.chaos.round import Outcome, Round
from tests.trials.chaos.site import ChaosSite
from tests.trials.chaos.start import open_site

SITES: dict[Topology, Callable[[Path], ChaosSite]] = {"kafka": KafkaSite, "embedded": EmbeddedSite}
MOST_FAILURES = 10
"""Each costs a new site; after so many there is enough to read."""


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _arguments(arguments)
    seeds = _seeds(asked)
    if asked.plan:
        for seed in seeds:
            _say("\n".join(plan_round(seed, asked.topology).lines()))
        return 0
    if asked.topology == "kafka" and (reason := broker.missing() or postgres_server.missing() or _no_kcat()):
        print(f"chaos: cannot run on kafka: {reason}", file=sys.stderr)  # noqa: T201
        return 2
    logging.basicConfig(level=logging.WARNING)
    if asked.verbose:
        logging.getLogger("tests.trials.chaos").setLevel(logging.DEBUG)
    end_on_sigterm()
    before = _results_of(asked.go_on)
    if before and before["topology"] != asked.topology:
        wrong = f"{asked.go_on}: topology {before['topology']!r}, expected {asked.topology!r}"
        print(f"chaos: --go-on {wrong}", file=sys.stderr)  # noqa: T201
        return 2
    if before:
        seeds = [seed for seed in seeds if seed not in set(before["seeds"])]
    outcomes = Campaign(asked.topology, seeds, asked.keep, asked.go_on or asked.out, before).run()
    return _summary(outcomes, len(seeds), before)


def _seeds(asked: argparse.Namespace) -> list[int]:
    if asked.seed is not None:
        return [asked.seed]
    if asked.sample is None:
        return list(range(asked.first, asked.first + asked.seeds))
    seeds = choose_sample(asked.topology, asked.sample, asked.day)
    _say(f"day {asked.day} on {asked.topology}: seeds {', '.join(map(str, seeds))}")
    return seeds


class Campaign:
    """Seeds one after the other on one site; a new site after each failure, whose traces would fail the rest."""

    def __init__(
        self, topology: Topology, seeds: Sequence[int], kept: Path, out: Path | None, before: dict[str, Any] | None
    ) -> None:
        self._topology, self._seeds, self._kept, self._out, self._before = topology, seeds, kept, out, before
        self._site: ChaosSite | None = None
        self._auditor: Auditor | None = None

    def run(self) -> list[Outcome]:
        outcomes: list[Outcome] = []
        try:
            for seed in self._seeds:
                outcomes.append(self._play(*self._opened(), seed))
                if self._out:  # after each: what an outage leaves can be read
                    self._out.write_text(json.dumps(_document(outcomes, self._before), indent=1) + "\n")
                if outcomes[-1].violations:
                    self._close()
                if sum(bool(outcome.violations) for outcome in outcomes) >= MOST_FAILURES:
                    _say(f"{MOST_FAILURES} seeds have failed: that is enough")
                    break
        finally:
            self._close()
        return outcomes

    def _play(self, site: ChaosSite, auditor: Auditor, seed: int) -> Outcome:
        marks = evidence.LogMarks(site.logs)
        plan = plan_round(seed, self._topology)
        outcome = Round(site, plan, Outcome(plan), auditor).play()
        _say(report.line(outcome))
        if outcome.violations:
            folder = evidence.keep(outcome, marks, self._kept)
            for violation in outcome.violations[:20]:
                _say(f"  {violation[:1000]}")
            _say(f"  logs, plan and violations: {folder}")
            _say(f"  again: python -m tests.trials.chaos --topology {self._topology} --seed {seed}")
        return outcome

    def _opened(self) -> tuple[ChaosSite, Auditor]:
        if self._site is None or self._auditor is None:
            folder = Path(tempfile.mkdtemp(prefix=f"graftwork-chaos-{self._topology}-"))
            folder.chmod(0o755)
            self._site = open_site(SITES[self._topology], folder)
            _say(f"a new site on {self._topology}: {self._site.api_url}, logs in {self._site.logs}")
            self._auditor = Auditor(self._site)
        return self._site, self._auditor

    def _close(self) -> None:
        auditor, self._auditor = self._auditor, None
        if auditor is not None:
            auditor.close()
        site, self._site = self._site, None
        if site is not None:
            site.close()
            site.remove()


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.chaos", description=__doc__)
    parser.add_argument("--topology", choices=TOPOLOGIES, required=True)
    parser.add_argument("--seeds", type=int, default=20, help="how many rounds (default: 20)")
    parser.add_argument("--first", type=int, default=1, help="the first one's seed (default: 1)")
    parser.add_argument("--seed", type=int, help="play this one alone, as after a failure")
    parser.add_argument("--sample", type=int, metavar="N",
                        help="instead of --seeds: N of the day's thousand whose plans meet every part")  # fmt: skip
    parser.add_argument(
        "--day", type=int, default=datetime.now(UTC).toordinal(), help="whose (default: today's number)"
    )
    parser.add_argument("--plan", action="store_true", help="only say what the rounds would do")
    parser.add_argument("--out", type=Path, help="results as JSON into this file")
    parser.add_argument("--go-on", type=Path, metavar="OUT",
                        help="the same, and seeds that are in this file are not played again")  # fmt: skip
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "graftwork-chaos-failures",
                        help="folder for what failed rounds leave (default: %(default)s)")  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="the traces of what failed")
    asked = parser.parse_args(arguments)
    for name in ("seeds", "sample"):
        if (number := getattr(asked, name)) is not None and number < 1:
            parser.error(f"--{name}: expected 1 or more")
    if (out := asked.go_on or asked.out) and not out.absolute().parent.is_dir():
        parser.error(f"no such folder: {out.absolute().parent}")
    return asked


def _results_of(file: Path | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = json.loads(file.read_text()) if file and file.exists() else None
    return found


def _document(outcomes: Sequence[Outcome], before: dict[str, Any] | None) -> dict[str, Any]:
    document = report.document(outcomes)
    return report.joined(before, document) if before else document


def _summary(outcomes: Sequence[Outcome], wanted: int, before: dict[str, Any] | None) -> int:
    found = _document(outcomes, before) if outcomes else before
    if found:
        _say(f"\n{tables.table(found)}")
    for reason in sorted({reason for outcome in outcomes for reason in outcome.skipped}):
        _say(f"\nNOT RUN: {reason}")
    return 1 if found is None or found["failed"] or len(outcomes) < wanted else 0


def _no_kcat() -> str | None:
    return None if shutil.which("kcat") else "no `kcat` on the path (Debian: apt-get install kcat)"


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
