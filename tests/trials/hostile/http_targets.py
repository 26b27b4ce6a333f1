"""The servers that a run calls: the API of a planted control plane as its own process, or a gateway."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controlplane.commands.spine.tokens import create_token
from controlplane.continuations import open_database
from tests.support.ports import free_ports
from tests.support.processes import Process, Processes
from tests.support.readiness import is_ready
from tests.support.waiting import wait_for
from tests.support.worlds.gateway import GatewayInProcess
from tests.support.worlds.in_process import ROLES
from tests.trials.hostile.databases import fresh_database
from tests.trials.hostile.planted import plant


@dataclass(frozen=True)
class Target:
    """Where it answers, and the tokens by the name of who holds them; None: nobody sends one."""

    url: str
    tokens: dict[str, str | None]
    process: Process | None
    """None: it answers in a thread of this one."""


@contextmanager
def api(kind: str, folder: Path) -> Iterator[Target]:
    """The identities: every role, nobody, and a stranger with a token that was never given out."""
    with fresh_database(kind, folder) as url:
        database = open_database(url)
        plant(database)
        with database.begin("hostile") as uow:
            minted: dict[str, str | None] = {role: create_token(uow, f"hostile-{role}", role)[1] for role in ROLES}
        database.close()
        (port,) = free_ports(1)
        environment = {
            "GRAFTWORK_DATABASE_URL": url,
            "GRAFTWORK_HOME": str(folder),
            "GRAFTWORK_PORT": str(port),
            "GRAFTWORK_FAILED_LOGINS_PER_MINUTE": "1000000",  # what a stranger's requests find is the question here
        }
        processes = Processes(folder)
        try:
            process = processes.python("api", "-m", "controlplane", "api", env=environment)
            base = f"http://127.0.0.1:{port}"
            wait_for(lambda: is_ready(base), "the API answers", seconds=120)
            yield Target(base, {**minted, "nobody": None, "stranger": "gw_not-a-token-of-ours"}, process)
        finally:
            processes.kill_all()


@contextmanager
def gateway(_kind: str, folder: Path) -> Iterator[Target]:
    """Beside a hand-written control plane, with scripted versions: what a model would answer is not the question."""
    site = GatewayInProcess(folder)
    site.start_control_plane()
    site.release(1)
    try:
        with site.gateway(gateway_token="a-token-of-the-gateway", failed_logins_per_minute=1_000_000) as client:
            base = str(client.base_url)
            wait_for(lambda: is_ready(base), "the gateway answers", seconds=120)
            yield Target(base, {"admin": "a-token-of-the-gateway", "nobody": None, "stranger": "not-its-token"}, None)
    finally:
        site.stop_control_plane()
