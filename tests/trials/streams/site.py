"""A control plane on SQLite, two gateways with the real engine, and one canary after the other."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlmodel import Session, col, select

from controlplane.client.client import Client
from controlplane.continuations import open_database
from controlplane.store.database import Database
from controlplane.store.serving_tables import DeploymentRow, GatewayBootRow, RolloutRow
from tests.support.fresh_sqlite import fresh_sqlite
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.worlds.machine import TOKEN, Machine
from tests.trials.streams.account import Account
from tests.trials.streams.gateway import START_SECONDS, Gateway
from tests.trials.streams.plan import API, GATEWAYS
from tests.trials.streams.reading import read_account
from tests.trials.streams.seen import Seen
from tests.trials.streams.versions import MODEL, plant_versions

DEPLOYMENT: Final = "films"
CANARY: Final[dict[str, Any]] = {
    "randomize": "session",
    "steps": [0.5],
    "tick_seconds": 1,
    "metrics": [{"name": "error", "margin": 0.0001}, {"name": "abandoned", "margin": 0.0001}],
    "harm_alpha": 1e-9,
    "safe_alpha": 1e-9,
    "sample_ratio_alpha": 1e-9,
}
"""No evidence of some hundred requests ends it: its errors are the kills'."""
SETTLE_SECONDS: Final = 150.0


class StreamsSite:
    def __init__(self, processes: Processes, database: Database, machine: Machine, versions: Sequence[UUID]) -> None:
        self._database, self._machine, self._versions = database, machine, versions
        self._processes = processes
        self._kept = processes.folder / "journals"
        self._kept.mkdir()
        self.gateways = [Gateway(machine, DEPLOYMENT, name, self._kept) for name in GATEWAYS]
        self.kills: dict[str, int] = dict.fromkeys((*GATEWAYS, API), 0)
        self.faults: list[str] = []
        """Processes that ended by themselves."""

    def start(self) -> None:
        """The first version is stable on both gateways."""
        self._machine.api(START_SECONDS)
        self._reconciler = self._machine.reconciler()
        with self.client() as client:
            client.put_deployment(DEPLOYMENT, {"model": MODEL, "policy": {"gates": [], "canary": CANARY}})
            first = client.start_rollout(DEPLOYMENT, str(self._versions[0]), reason="the first one")
            ended = client.wait_for_rollout(first.id, seconds=SETTLE_SECONDS)
            assert ended.phase == "Promoted", ended.reason
            self._machine.env["GRAFTWORK_TOKEN"] = client.create_token("streams", "gateway").token
        for gateway in self.gateways:
            gateway.start()

    def client(self) -> Client:
        return Client(self._machine.api_url, TOKEN)

    @property
    def signing_key(self) -> str:
        with self._database.read() as session:
            row = session.get(DeploymentRow, DEPLOYMENT)
            assert row is not None
            return row.signing_key

    @contextmanager
    def canary(self) -> Iterator[None]:
        """The second version has half of the traffic of both gateways. In the end all is told and folded."""
        with self.client() as client:
            rollout = client.start_rollout(DEPLOYMENT, str(self._versions[1]), reason="streams")
            wait_for(lambda: self._serve_canary(client), "both gateways give the canary weight", seconds=SETTLE_SECONDS)
        yield
        self._settle(rollout.id)
        with self.client() as client:
            client.act_on_rollout(rollout.id, "abort", "its requests have been asked")

    def kill(self, part: str) -> None:
        self.kills[part] += 1
        if part == API:
            self._machine.kill_api()
        else:
            self._gateway(part).kill()

    def restart(self, part: str) -> None:
        """After `kill`. Returns once it is ready."""
        if part == API:
            self._machine.api(START_SECONDS)
        else:
            self._gateway(part).start()

    def account(self, seen: Sequence[Seen]) -> Account:
        for gateway in self.gateways:
            gateway.keep_journals()
        with self._database.read() as session:
            return read_account(session, seen, self.gateways, self._kept)

    def look_for_faults(self) -> None:
        """What should run and does not; a gateway that fell is started again as if it had been killed."""
        for gateway in self.gateways:
            if not gateway.running:
                self.faults.append(f"{gateway.name} ended by itself")
                gateway.kill()
                gateway.start()
        if not self._reconciler.running:
            self.faults.append("the reconciler ended by itself")
            self._reconciler = self._machine.reconciler()

    def _gateway(self, name: str) -> Gateway:
        return next(gateway for gateway in self.gateways if gateway.name == name)

    def _serve_canary(self, client: Client) -> bool:
        weights = [one.applied_weight for one in client.list_gateways(DEPLOYMENT) if one.live]
        return len(weights) == len(self.gateways) and all(weight > 0 for weight in weights)

    # --- until nothing more comes -------------------------------------------------------------------------------------

    def _settle(self, rollout: UUID) -> None:
        """Every dead boot's lost units have come, every second of the living is accepted, and all of it is folded."""
        wait_for(self._dead_are_accounted_for, "lost units are told", seconds=SETTLE_SECONDS)
        last = int(time.time()) + 1
        wait_for(lambda: self._told(last), "every second is accepted", seconds=SETTLE_SECONDS)
        wait_for(lambda: self._folded(rollout, last), "every second is folded", seconds=SETTLE_SECONDS)

    def _dead_are_accounted_for(self) -> bool:
        with self._database.read() as session:
            return all(row.lost for row in self._boots(session, living=False))

    def _told(self, last: int) -> bool:
        with self._database.read() as session:
            living = self._boots(session, living=True)
            return len(living) == len(self.gateways) and all(row.watermark >= last for row in living)

    def _folded(self, rollout: UUID, last: int) -> bool:
        with self._database.read() as session:
            row = session.get(RolloutRow, rollout)
            assert row is not None
            assert row.phase in ("Progressing", "Paused"), f"the rollout is {row.phase}: {row.reason}"
            return row.horizon >= last

    def _boots(self, session: Session, *, living: bool) -> Sequence[GatewayBootRow]:
        wanted = {gateway.boot for gateway in self.gateways}
        ours = [boot for gateway in self.gateways for boot in gateway.boots if (boot in wanted) == living]
        return session.exec(select(GatewayBootRow).where(col(GatewayBootRow.boot).in_(ours))).all()


@contextmanager
def streams_site(folder: Path) -> Iterator[StreamsSite]:
    """Everything ends with the context."""
    processes = Processes(folder)
    url = fresh_sqlite(folder / "graftwork.db")
    with closing(Machine.apart(processes, url)) as machine, closing(open_database(url)) as database:
        made = folder / "made"
        with database.begin("planted") as uow:
            versions = plant_versions(uow, made)
        machine.env["GRAFTWORK_ARTIFACTS_URL"] = (made / "artifacts").as_uri()
        site = StreamsSite(processes, database, machine, versions)
        try:
            site.start()
            yield site
        finally:
            processes.kill_all()
