"""A peer in an environment of its own, installed when first needed: MLflow's tracking server on PostgreSQL."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.missing import Missing
from tests.support.ports import free_ports
from tests.support.waiting import wait_for
from tests.trials.bench.http import Connection
from tests.trials.bench.parts import Parts

VERSION: Final = "3.17.2"
PACKAGES: Final = (f"mlflow=={VERSION}", "psycopg2-binary==2.9.13")
HOME: Final = Path(os.environ.get("GRAFTWORK_BENCH_CACHE", Path.home() / ".cache" / "graftwork-bench"))
API: Final = "/api/2.0/mlflow"
ALIAS: Final = "champion"


def environment() -> Path:
    """Where `mlflow` is, in the pinned version."""
    folder = HOME / f"mlflow-{VERSION}"
    if not (folder / "installed").is_file():
        if (uv := shutil.which("uv")) is None:
            raise Missing("no `uv`: it makes the environment that MLflow is installed into (pip install uv)")
        for command in (
            ["venv", "-q", "--clear", str(folder)],
            ["pip", "install", "-q", "--python", str(folder), *PACKAGES],
        ):
            done = subprocess.run([uv, *command], capture_output=True, text=True, check=False)
            if done.returncode:
                raise Missing(f"MLflow {VERSION} could not be installed: {done.stderr[-1000:]}")
        (folder / "installed").touch()
    return folder / "bin"


def is_installed() -> bool:
    return (HOME / f"mlflow-{VERSION}" / "installed").is_file()


@contextmanager
def server(parts: Parts, workers: int, models: list[str]) -> Iterator[str]:
    """Its own production command with so many worker processes; these models have two versions each."""
    binaries = environment()
    url = parts.postgres.create_database(migrated=False)
    (port,) = free_ports(1)
    with parts.processes() as processes:
        argv = [
            str(binaries / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers),
            "--backend-store-uri", url.replace("+psycopg", "+psycopg2"), "--no-serve-artifacts",
            "--default-artifact-root", (processes.folder / "artifacts").as_uri(),
        ]  # fmt: skip
        env = {"PATH": f"{binaries}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONPATH": ""}
        process = processes.start("mlflow", argv, env)
        base = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(base) or not process.running, "MLflow answers", seconds=400)
        assert process.running, process.output()[-3000:]
        for model in models:
            _register(base, model)
        yield base
    parts.postgres.drop_database(url)


def promote(client: Connection, model: str, version: int) -> None:
    body = {"name": model, "alias": ALIAS, "version": str(version)}
    client.post(f"{API}/registered-models/alias", body)


def champion(client: Connection, model: str) -> Any:
    """The version that the alias names."""
    return client.get(f"{API}/registered-models/alias", {"name": model, "alias": ALIAS})["model_version"]


def _register(base: str, model: str) -> None:
    with closing(Connection(base)) as client:
        client.post(f"{API}/registered-models/create", {"name": model})
        for number in (1, 2):
            source = f"s3://models/{model}/{number}"  # only named: a local path needs a run
            client.post(f"{API}/model-versions/create", {"name": model, "source": source})
        promote(client, model, 1)
        assert champion(client, model)["version"] == "1"


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False
