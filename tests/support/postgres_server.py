"""A real PostgreSQL for tests, one that is given or one started from Debian's package, and fresh databases on it."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from uuid import uuid4

import psycopg

from controlplane.store.database import Database
from controlplane.store.upgrade import upgrade
from tests.support.ports import free_ports
from tests.support.processes import ROOT, is_alive

STRATEGIES_SINCE = 150_000
"""Version of a server; those before it copy files."""
POSTGRES_SH = ROOT / "deploy" / "postgres" / "postgres.sh"


def missing() -> str | None:
    """Why no server can be started here, or None."""
    if any(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or shutil.which("pg_ctl"):
        return None
    return "no PostgreSQL server binaries (Debian: apt-get install postgresql)"


class PostgresServer:
    """Makes databases from a template that is migrated once: a fresh one costs a file copy."""

    def __init__(self, url: str, folder: Path | None = None) -> None:
        self.url = url
        self.folder = folder
        self._template: str | None = None

    @classmethod
    def start_new(cls, parent: Path | None = None) -> "PostgresServer":
        """Its data below that folder, else where temporary folders are."""
        folder = Path(tempfile.mkdtemp(prefix="graftwork-postgres-", dir=parent))
        (port,) = free_ports(1)
        _postgres_sh("start", folder, port)
        return cls(f"postgresql+psycopg://graftwork@127.0.0.1:{port}/postgres", folder)

    def create_database(self, *, migrated: bool = True) -> str:
        """A new database's URL."""
        name = f"test_{uuid4().hex[:16]}"
        if migrated and self._template is None:
            self._template = self._migrated_template()
        with self._connection() as connection:
            # by default PostgreSQL logs every page of the template, which takes six times the processor time
            as_files = "STRATEGY file_copy" if connection.info.server_version >= STRATEGIES_SINCE else ""
            how = f"TEMPLATE {self._template} {as_files}" if migrated else ""
            connection.execute(f"CREATE DATABASE {name} {how}".encode())
        return self._url_of(name)

    def drop_database(self, url: str) -> None:
        self._execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def remove(self) -> None:
        """Stop a server of ours and delete its data; on a given one drop the template."""
        if self.folder is None:
            if self._template:
                self.drop_database(self._url_of(self._template))
            return
        if self._is_running(self.folder):
            _postgres_sh("stop", self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _is_running(folder: Path) -> bool:
        """A trial may have killed it, and leaves its file of the process id behind."""
        file = folder / "data" / "postmaster.pid"
        return file.is_file() and is_alive(int(file.read_text().splitlines()[0]))

    def _migrated_template(self) -> str:
        url = self.create_database(migrated=False)
        database = Database(url)
        upgrade(database)
        database.close()
        return url.rpartition("/")[2]

    def _url_of(self, name: str) -> str:
        return f"{self.url.rpartition('/')[0]}/{name}"

    def _execute(self, statement: str) -> None:
        with self._connection() as connection:
            connection.execute(statement.encode())

    def _connection(self) -> psycopg.Connection:
        return psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True)


def _postgres_sh(*arguments: object) -> None:
    # output to a file: the server inherits it, and a pipe would never end
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [str(POSTGRES_SH), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, timeout=120,
        )  # fmt: skip
        output.seek(0)
        assert done.returncode == 0, f"{POSTGRES_SH.name} {arguments[0]}: {output.read()[-3000:]}"
