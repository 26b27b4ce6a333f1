"""`make soak`: minutes of mixed load on a whole system, and whether its memory, files and tables stayed flat."""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.support.cargo import MODEL
from tests.support.missing import Missing
from tests.support.processes import ROOT
from tests.support.stored_figures import check_document, keep
from tests.trials.bench.host import commit, this_host, this_moment
from tests.trials.load.__main__ import MIX
from tests.trials.load.canaries import CANARY, Canaries
from tests.trials.load.finding import Finding, Work
from tests.trials.load.pages import section
from tests.trials.load.prepared import curation
from tests.trials.load.report import to_text
from tests.trials.load.sampling import Watch
from tests.trials.load.site import Site, site
from tests.trials.load.verdict import judge, judge_load, judge_rollouts, judge_watch

RETENTIONS = 10
"""How often the retention passes during the run."""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        return _run(options)
    except (Missing, ValueError, OSError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.docs:  # before ten minutes, not after them
        check_document(options.docs, _part(options))
    retention = options.seconds / RETENTIONS
    conditions = _conditions(options.seconds, retention)
    settings = {"GRAFTWORK_RETENTION_DAYS": str(retention / 86400), "GRAFTWORK_PRUNE_SECONDS": "2"}
    with (
        tempfile.TemporaryDirectory(prefix="graftwork-soak-") as folder,
        site(options.topology, Path(folder), {"canary": CANARY}, settings) as started,
    ):
        print(
            f"{options.topology}: {options.seconds:g} s, {options.rate:g} requests/s, retention {retention:g} s",
            flush=True,
        )
        load, watch, findings = _soak(started, options, Path(folder))
    document = {"conditions": conditions, "load": load, "findings": [asdict(finding) for finding in findings]}
    if options.json:
        options.json.write_text(json.dumps({**document, "samples": [asdict(one) for one in watch.samples]}) + "\n")
    if options.docs:
        keep(options.docs, _part(options), document, section)
    print(to_text(load), *(_line(finding) for finding in findings), sep="\n")
    bad = sum(not finding.ok for finding in findings)
    print(f"{'FLAT' if not bad else f'NOT FLAT: {bad} findings'} ({len(findings)} looked at)")
    return 1 if bad else 0


def _conditions(seconds: float, retention: float) -> str:
    """As they are before the run."""
    began = this_moment()
    where = f"{began.at}, commit {commit()}; {this_host()}; {began.used:.0%} of the machine in use before"
    return f"{seconds:g} s, retention {retention:g} s, {where}."


def _part(options: argparse.Namespace) -> str:
    return f"soak {options.topology}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.trials.load.soak", description=__doc__)
    parser.add_argument("--topology", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=40, help="requests a second, all targets together")
    parser.add_argument("--mix", default=MIX)
    parser.add_argument("--json", type=Path, help="write findings and samples there")
    parser.add_argument("--docs", type=Path, help="write the findings into this document, between its marks")
    return parser.parse_args(arguments)


def _soak(started: Site, options: argparse.Namespace, folder: Path) -> tuple[dict[str, Any], Watch, list[Finding]]:
    watch = Watch(started.family, started.database_url)
    with Canaries(started.client, started.versions) as canaries:
        watch.start()
        load = _load(started, options, folder)
        samples = watch.end()
        work = Work(load["seconds"], {name: one["ok"] for name, one in load["targets"].items()}, canaries.started)
    findings = [
        *judge(samples, work),
        *judge_watch(samples, watch.errors, load["seconds"]),
        *judge_load(load),
        *judge_rollouts(canaries.ended, canaries.errors, options.seconds),
    ]
    return load, watch, findings


def _load(started: Site, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """In a process of its own; its answer is its JSON."""
    rows, token, job, result = (folder / f"load.{name}" for name in ("csv", "token", "job", "json"))
    with rows.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *started.rows])
    token.write_text(started.token)
    job.write_text(json.dumps({"kind": "curate", "spec": curation(60, name="load")}))
    command = [sys.executable, "-m", "tests.trials.load", "--api", started.api, "--model", MODEL, "--mix", options.mix]
    command += ["--token-file", str(token), "--rows", str(rows), "--job", str(job), "--json", str(result)]
    command += ["--rate", str(options.rate), "--seconds", str(options.seconds)]
    for gateway in started.gateways:
        command += ["--gateway", gateway]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if not result.exists():
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(result.read_text())
    return document


def _line(finding: Finding) -> str:
    return f"{'ok ' if finding.ok else 'BAD'} {finding.subject:<28} {finding.measure:<13} {finding.text}"


if __name__ == "__main__":
    sys.exit(main())
