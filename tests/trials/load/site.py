"""A whole system to put under load: real processes, the real base model, two trained versions that serve."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from controlplane.cli.demo.rows import read_rows
from controlplane.client.client import Client
from tests.support import broker as brokers
from tests.support import postgres_server
from tests.support.broker import Broker
from tests.support.builders.specs import TRAIN
from tests.support.cargo import CASE, DEPLOYMENT, MODEL
from tests.support.downloads import downloads
from tests.support.missing import Missing
from tests.support.ports import free_ports
from tests.support.postgres_server import PostgresServer
from tests.support.processes import Processes, descendants
from tests.support.waiting import wait_for
from tests.support.worlds.cluster import Cluster, Places
from tests.support.worlds.machine import Machine
from tests.trials.load.prepared import ROWS, cache_folder, curation, keep, plant

Topology = Literal["embedded", "kafka"]
JOB_SECONDS = 600.0


@dataclass
class Site:
    """What a load run needs to know. `versions[0]` serves."""

    topology: Topology
    api: str
    token: str
    gateways: list[str]
    database_url: str
    artifacts: Path
    processes: Processes
    versions: list[UUID] = field(default_factory=list)
    rows: list[tuple[str, str]] = field(default_factory=list)

    def client(self) -> Client:
        return Client(self.api, self.token)

    def family(self) -> dict[int, str]:
        """Every process of ours that runs: pid to name."""
        named: dict[int, str] = {}
        for process in self.processes.all:
            if process.running:
                named[process.pid] = process.name
                named |= {pid: _name_of(pid) for pid in descendants(process.pid)}
        return {pid: name for pid, name in named.items() if name}


@contextmanager
def site(
    topology: Topology,
    folder: Path,
    policy: dict[str, Any],
    settings: dict[str, str] | None = None,
    *,
    released: bool = True,
) -> Iterator[Site]:
    """Two gateways serve the first of two versions; everything ends with the context."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        processes = Processes(folder)
        stack.callback(processes.kill_all)
        opened = (_embedded if topology == "embedded" else _on_kafka)(stack, processes, policy, settings or {})
        if released:
            _release(opened)
        yield opened


def _embedded(stack: ExitStack, processes: Processes, policy: dict[str, Any], settings: dict[str, str]) -> Site:
    environment = {"GRAFTWORK_SOURCES_CACHE": str(downloads()), **settings}
    machine = Machine(processes, environment)
    up = machine.up()
    stack.callback(up.stop)
    database = f"sqlite:///{machine.home.absolute() / 'graftwork.db'}"
    artifacts = machine.home / "artifacts"
    opened = Site("embedded", machine.api_url, machine.admin_token, [], database, artifacts, processes)
    _deploy(opened, policy)
    wait_for(lambda: (machine.home / "gateways.json").exists(), "`up` starts a gateway", seconds=60)
    opened.gateways = [machine.gateway(DEPLOYMENT), _second_gateway(opened, machine)]
    _wait_for_gateways(opened)
    return opened


def _second_gateway(opened: Site, machine: Machine) -> str:
    """`up` starts one; the second is started as a person would."""
    [port] = free_ports(1)
    token = machine.home / "tokens" / "gateway.token"
    wait_for(token.exists, "`up` mints the gateways' token")
    environment = {**machine.environment({}), "GRAFTWORK_API_URL": opened.api, "GRAFTWORK_TOKEN_FILE": str(token)}
    arguments = ("-m", "workers.serve", "--deployment", DEPLOYMENT, "--port", str(port), "--name", "gateway-2")
    opened.processes.python("gateway-2", *arguments, env=environment)
    return f"http://127.0.0.1:{port}"


def _on_kafka(stack: ExitStack, processes: Processes, policy: dict[str, Any], settings: dict[str, str]) -> Site:
    if reason := brokers.missing() or postgres_server.missing():
        raise Missing(reason)
    broker = Broker.start_new()
    stack.callback(broker.remove)
    postgres = PostgresServer.start_new()
    stack.callback(postgres.remove)
    stack.callback(processes.kill_all)  # before the servers that they talk to
    url = postgres.create_database(migrated=False)
    with _in_environment(settings):
        cluster = Cluster(processes, Places(url, broker.bootstrap_servers, downloads()))
        cluster.start()
    opened = Site("kafka", cluster.api_url, cluster.token("admin"), [], url, cluster.artifacts, processes)
    _deploy(opened, policy)
    cluster.start_gateways(DEPLOYMENT)
    opened.gateways = list(cluster.gateways.values())
    return opened


@contextmanager
def _in_environment(settings: dict[str, str]) -> Iterator[None]:
    """Processes inherit ours."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _deploy(opened: Site, policy: dict[str, Any]) -> None:
    with opened.client() as client:
        client.put_deployment(DEPLOYMENT, {"model": MODEL, "policy": {"gates": [{"gate": "parity"}], **policy}})


def _wait_for_gateways(opened: Site) -> None:
    with opened.client() as client:
        wait_for(
            lambda: sum(gateway.live for gateway in client.list_gateways(DEPLOYMENT)) == len(opened.gateways),
            "the gateways are alive",
            seconds=90,
        )


def _release(opened: Site) -> None:
    """The first version becomes the champion."""
    if not cache_folder().exists():
        with site("embedded", opened.processes.folder / "making", {}, released=False) as making:
            _train(making)
            keep(Path(making.database_url.removeprefix("sqlite:///")), making.artifacts)
    opened.versions = plant(opened.database_url, opened.artifacts)
    with opened.client() as client:
        rollout = client.start_rollout(DEPLOYMENT, str(opened.versions[0]), reason="the first one")
        ended = client.wait_for_rollout(rollout.id, seconds=120)
        assert ended.phase == "Promoted", ended.reason
        manifest = client.get_dataset_version("reviews@latest").manifest
    opened.rows = read_rows(opened.artifacts, manifest, "validation")


def _train(making: Site) -> None:
    """Curate, train twice, export twice."""
    base = CASE.document("pipeline")["params"]["base_model"]
    with making.client() as client:
        dataset = _done(client, "curate", curation(ROWS))["dataset"]
        for seed in (1, 2):
            spec = TRAIN | {"base_model": base, "dataset": dataset, "seed": seed}
            _done(client, "export", {"model_version": _done(client, "train", spec)["model_version"]})


def _done(client: Client, kind: str, spec: dict[str, Any]) -> dict[str, str]:
    job = client.wait_for_job(client.request_job(kind, spec).id, seconds=JOB_SECONDS)
    assert job.phase == "Succeeded", f"{kind}: {job.phase}: {job.reason}"
    return dict(job.outputs or {})


def _name_of(pid: int) -> str:
    """What it does, by its command line; empty: it is gone, or no process of ours."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    if "--name" in words:
        return words[words.index("--name") + 1]
    if "controlplane" in words:
        return words[words.index("controlplane") + 1]
    return "job" if any("workers." in word for word in words) else ""
