"""One site for many mutations: laid once by sound code, put back to how it was then, and run by spoilt code."""

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.support.broker import KAFKA_SH
from tests.support.processes import ROOT
from tests.support.readiness import is_ready
from tests.support.waiting import wait_for
from tests.trials.chaos import evidence, report
from tests.trials.chaos.__main__ import SITES
from tests.trials.chaos.caller import Caller
from tests.trials.chaos.foundation import live_gateways
from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.invariants.expected import Expected
from tests.trials.chaos.ledger import Ledger
from tests.trials.chaos.mutations.mutation import Mutation
from tests.trials.chaos.parts import KafkaBroker, OwnProcess, Postgres, run
from tests.trials.chaos.plan import Topology, plan_round
from tests.trials.chaos.round import Outcome, Round
from tests.trials.chaos.site import START_SECONDS
from tests.trials.chaos.start import open_site

LINKED: Final = ("deploy/kafka/libs",)
"""Ignored by git, large, and never mutated."""
SERVERS: Final = ("postgres", "broker")


class Stage:
    """Only the site's processes run the spoilt code: who drives and who judges them are sound."""

    def __init__(self, topology: Topology, folder: Path) -> None:
        self._topology = topology
        self._tree, self._saved = folder / "tree", folder / "saved"
        copy_tree(self._tree)
        # Whatever the site starts finds the tree first, and not the folder that it is started in.
        os.environ |= {"PYTHONPATH": str(self._tree), "PYTHONSAFEPATH": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self._site = open_site(SITES[topology], _made(folder / "site"))
        self._gateways = len(self._site.gateways())
        self._halt()
        for number, place in enumerate(self._places()):
            _copy(place, self._saved / str(number))

    def close(self) -> None:
        self._site.close()

    @contextmanager
    def spoilt(self, mutation: Mutation) -> Iterator[None]:
        """The site runs on spoilt code, from the state that sound code had left. Raises NotFound."""
        copy_tree(self._tree)
        mutation.apply(self._tree)
        for number, place in enumerate(self._places()):
            _empty(place)
            _copy(self._saved / str(number), place)
        try:
            self._start()
            yield
        finally:
            self._halt()

    def rounds(self, seeds: Iterator[int], kept: Path) -> Iterator[Outcome]:
        """Ordinary rounds, one after the other, with what each of them violated."""
        auditor = Auditor(self._site)
        try:
            self._look_at_the_beginning(auditor)
            for seed in seeds:
                marks = evidence.LogMarks(self._site.logs)
                plan = plan_round(seed, self._topology)
                outcome = Round(self._site, plan, Outcome(plan), auditor).play()
                print(report.line(outcome), flush=True)  # noqa: T201
                if outcome.violations:
                    evidence.keep(outcome, marks, kept)
                yield outcome
        finally:
            auditor.close()

    def _look_at_the_beginning(self, auditor: Auditor) -> None:
        """What sound code left is no mutation's doing, such as a fact that a slow relay sent twice."""
        known = Expected(relay_disturbed=True)
        wait_for(lambda: not auditor.pending(known), "the site is at rest", seconds=START_SECONDS)
        auditor.look(known)

    def _places(self) -> list[Path]:
        """Every folder that holds state."""
        postgres, broker = (self._site.parts.get(name) for name in SERVERS)
        places = [self._site.folder]
        if isinstance(postgres, Postgres):
            places.append(postgres.folder)
        if isinstance(broker, KafkaBroker) and broker.broker.folder is not None:
            places.append(broker.broker.folder)
        return places

    def _halt(self) -> None:
        """Everything, at once; the servers politely, so that they come back fast."""
        site = self._site
        site.proxy.heal()
        site.disk.free()
        site.clock.set()
        for name, part in site.parts.items():
            if name not in SERVERS:
                part.resume()
                part.kill()
        broker = site.parts.get("broker")
        if isinstance(broker, KafkaBroker) and broker.running:
            broker.resume()
            run(KAFKA_SH, "stop", broker.broker.folder)
        if "postgres" in site.parts:
            site.parts["postgres"].resume()
            site.parts["postgres"].kill()
        site.crashes = []

    def _start(self) -> None:
        site = self._site
        for name in SERVERS:
            if name in site.parts:
                site.parts[name].start()
        for part in site.parts.values():
            if isinstance(part, OwnProcess) or part is site.parts.get("supervisor"):
                part.start()
        wait_for(site.is_ready, "the API is ready", seconds=START_SECONDS)
        with Caller(site.api_url, site.admin_token, Ledger(), random.Random(), repeats=0) as caller:
            wait_for(lambda: live_gateways(caller) == self._gateways, "gateways are alive", seconds=START_SECONDS)
        wait_for(lambda: all(map(is_ready, site.gateways().values())), "gateways serve", seconds=START_SECONDS)


@contextmanager
def stage_for(topology: Topology) -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix=f"graftwork-mutations-{topology}-"))
    folder.chmod(0o755)
    stage = Stage(topology, folder)
    try:
        yield stage
    finally:
        stage.close()
        shutil.rmtree(folder, ignore_errors=True)


def copy_tree(target: Path) -> None:
    """What git knows or would know, as it stands now."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    for name in names:
        source = ROOT / name
        if name and source.is_file() and not source.is_symlink():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    for name in LINKED:
        if (ROOT / name).exists() and not (target / name).exists():
            (target / name).symlink_to((ROOT / name).resolve())


def _made(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def _copy(source: Path, target: Path) -> None:
    """With owners: PostgreSQL's files are not ours."""
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", f"{source}/.", str(target)], check=True)


def _empty(folder: Path) -> None:
    """What is in it; a file system that is mounted there stays."""
    for path in folder.iterdir():
        if path.is_symlink() or not path.is_dir():
            path.unlink()
        elif path.is_mount():
            _empty(path)
        else:
            shutil.rmtree(path)
