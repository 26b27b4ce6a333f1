"""Real Kafka, real PostgreSQL, and every process of ours on its own."""

from pathlib import Path
from secrets import token_urlsafe

from controlplane.client.client import Client
from schemas.roles import Role
from tests.support.broker import Broker
from tests.support.ports import free_ports
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Process
from tests.support.waiting import wait_for
from tests.trials.chaos.parts import KafkaBroker, OwnProcess, Postgres
from tests.trials.chaos.plan import CLOCKED
from tests.trials.chaos.site import DEPLOYMENT, START_SECONDS, ChaosSite

CONTROL_PLANE = ("api", "relay", "reactions", "reconciler")


class KafkaSite(ChaosSite):
    topology = "kafka"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, token_urlsafe(24))
        self._server = PostgresServer.start_new()
        self._url = self._server.create_database(migrated=False)
        self._broker = Broker.start_new()
        self.bootstrap_servers = self._broker.bootstrap_servers
        self._gateways = {
            name: f"http://127.0.0.1:{port}"
            for name, port in zip(("gateway-1", "gateway-2"), free_ports(2), strict=True)
        }
        assert self._server.folder is not None
        self.parts["postgres"] = Postgres(self._server.folder, int(self._server.url.split(":")[-1].split("/")[0]))
        self.parts["broker"] = KafkaBroker(self._broker)

    @property
    def database_url(self) -> str:
        return self._url

    def start(self) -> None:
        upgrade = self.processes.python(
            "db-upgrade", "-m", "controlplane", "db", "upgrade", env=self._environment("db-upgrade", None)
        )
        assert upgrade.wait(START_SECONDS) == 0, upgrade.output()
        for name in CONTROL_PLANE:
            self._add(name, "controlplane", name)
        wait_for(self.is_ready, "the API is ready", seconds=START_SECONDS)
        with Client(self.api_url, self.admin_token) as client:
            for role in ("worker", "gateway"):
                self.tokens[role] = client.create_token(f"chaos-{role}", role).token
        for name in ("worker-1", CLOCKED):
            self._add(name, "workers.runtime", "all", "--name", name, role="worker")

    def start_gateways(self) -> None:
        for name, url in self._gateways.items():
            port = url.rpartition(":")[2]
            self._add(name, "workers.serve", "--deployment", DEPLOYMENT, "--port", port, "--name", name, role="gateway")

    def gateways(self) -> dict[str, str]:
        return dict(self._gateways)

    def close(self) -> None:
        for part in self.parts.values():
            part.resume()
        super().close()
        self._broker.remove()
        self._server.remove()

    def _add(self, name: str, module: str, *arguments: str, role: Role | None = None) -> None:
        def begin() -> Process:
            return self.processes.python(name, "-m", module, *arguments, env=self._environment(name, role))

        part = OwnProcess(begin)
        part.start()
        self.parts[name] = part

    def _environment(self, name: str, role: Role | None) -> dict[str, str]:
        environment = self.shared_environment(name)
        environment["GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS"] = str(self.bootstrap_servers)
        if name == CLOCKED:
            environment |= self.clock.environment()
        if role is None:
            return environment | {"GRAFTWORK_DATABASE_URL": self._url}
        del environment["GRAFTWORK_BOOTSTRAP_TOKEN"]
        return environment | {"GRAFTWORK_TOKEN": self.tokens[role]}
