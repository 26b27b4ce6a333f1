"""`make soak`: minutes of mixed load on a whole system, and whether its memory, files and tables stayed flat."""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from controlplane.client import ApiError, Client
from schemas.marked import with_part, write_part
from tests.bench.host import commit, this_host, this_moment
from tests.load.__main__ import MIX
from tests.load.pages import section
from tests.load.prepared import curation
from tests.load.report import to_text
from tests.load.sampling import Sample, Watch
from tests.load.site import Missing, Site, site
from tests.load.verdict import Finding, judge
from tests.support.journey import DEPLOYMENT, MODEL
from tests.support.processes import ROOT

RETENTIONS = 10
"""So often the retention passes during the run."""
CANARY: dict[str, Any] = {
    "steps": [0.25, 0.5],
    "step_seconds": 5,
    "tick_seconds": 2,
    "metrics": [{"name": "error", "margin": 0.1}, {"name": "wrong", "margin": 0.3}],
}
"""Of two versions of one kind: each is promoted in about a minute, and then the other one is put on its way."""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        return _run(options)
    except (Missing, ValueError, OSError) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    if options.docs:  # before ten minutes, not after them
        with_part(options.docs.read_text(), _part(options), "")
    began, retention = this_moment(), options.seconds / RETENTIONS
    settings = {"GRAFTWORK_RETENTION_DAYS": str(retention / 86400), "GRAFTWORK_PRUNE_SECONDS": "2"}
    with (
        tempfile.TemporaryDirectory(prefix="graftwork-soak-") as folder,
        site(options.topology, Path(folder), {"canary": CANARY}, settings) as started,
    ):
        print(
            f"{options.topology}: {options.seconds:g} s, {options.rate:g} requests/s, retention {retention:g} s",
            flush=True,
        )
        samples, load, faults = _soak(started, options, Path(folder))
    findings = [*judge(samples), *_of_load(load), *_of_logs(faults)]
    document = {"load": load, "retention_seconds": retention, "findings": [asdict(finding) for finding in findings]}
    if options.json:
        options.json.write_text(json.dumps({**document, "samples": [asdict(one) for one in samples]}) + "\n")
    if options.docs:
        conditions = f"{options.seconds:g} s, retention {retention:g} s, {began.at}, commit {commit()}; {this_host()}; "
        written = section(document, f"{conditions}load average before: {began.load}.")
        write_part(options.docs, _part(options), written)
    print(to_text(load), *(_line(finding) for finding in findings), sep="\n")
    bad = sum(not finding.ok for finding in findings)
    print(f"{'FLAT' if not bad else f'NOT FLAT: {bad} findings'} ({len(findings)} looked at)")
    return 1 if bad else 0


def _part(options: argparse.Namespace) -> str:
    return f"soak {options.topology}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load.soak", description=__doc__)
    parser.add_argument("--topology", choices=("embedded", "kafka"), default="embedded")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=40, help="requests a second, all targets together")
    parser.add_argument("--mix", default=MIX)
    parser.add_argument("--json", type=Path, help="write findings and samples there")
    parser.add_argument("--docs", type=Path, help="write the findings into this document, between its marks")
    return parser.parse_args(arguments)


def _soak(started: Site, options: argparse.Namespace, folder: Path) -> tuple[list[Sample], dict[str, Any], list[str]]:
    watch = Watch(started.family, started.database_url)
    with _canaries(started):
        watch.start()
        load = _load(started, options, folder)
        samples = watch.end()
    return samples, load, [process.name for process in started.processes.all if not process.running]


def _load(started: Site, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """In a process of its own; its answer is its JSON."""
    rows, token, job, result = (folder / f"load.{name}" for name in ("csv", "token", "job", "json"))
    with rows.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *started.rows])
    token.write_text(started.token)
    job.write_text(json.dumps({"kind": "curate", "spec": curation(60, name="load")}))
    command = [sys.executable, "-m", "tests.load", "--api", started.api, "--model", MODEL, "--mix", options.mix]
    command += ["--token-file", str(token), "--rows", str(rows), "--job", str(job), "--json", str(result)]
    command += ["--rate", str(options.rate), "--seconds", str(options.seconds)]
    for gateway in started.gateways:
        command += ["--gateway", gateway]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if not result.exists():
        raise RuntimeError(f"the load generator failed: {done.stderr[-2000:]}")
    document: dict[str, Any] = json.loads(result.read_text())
    return document


@contextmanager
def _canaries(started: Site) -> Iterator[None]:
    """One rollout after the other, so that observations, labels and decisions come."""
    stop = threading.Event()
    thread = threading.Thread(target=_release_in_turn, args=(started, stop), name="canaries")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _release_in_turn(started: Site, stop: threading.Event) -> None:
    turn = 0
    with started.client() as client:
        while not stop.is_set():
            turn += 1
            rollout = client.start_rollout(DEPLOYMENT, str(started.versions[turn % 2]), reason="soak: the other one")
            while not stop.wait(1.0) and _is_under_way(client, rollout.id):
                pass


def _is_under_way(client: Client, rollout: Any) -> bool:
    try:
        return client.get_rollout(rollout).finished_at is None
    except ApiError:
        return True


def _of_load(load: dict[str, Any]) -> Iterator[Finding]:
    for name, target in load["targets"].items():
        errors = target["errors"]
        text = f"{target['ok']} of {target['sent']} answered well" + (f"; {errors}" if errors else "")
        yield Finding(name, "requests", not errors, text)


def _of_logs(faults: list[str]) -> Iterator[Finding]:
    yield Finding("processes", "alive", not faults, f"ended: {', '.join(faults)}" if faults else "all of them")


def _line(finding: Finding) -> str:
    return f"{'ok ' if finding.ok else 'BAD'} {finding.subject:<28} {finding.measure:<13} {finding.text}"


if __name__ == "__main__":
    sys.exit(main())
