"""Read-only looks into the database, past every line of our own code."""

import sqlite3
from typing import Any

import psycopg


class Peek:
    """A connection for each look: the server under test may be gone the next moment."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url

    def one(self, query: str) -> Any:
        """The first column of the first row. Raises OSError while the database is away."""
        try:
            return self._one(query)
        except (sqlite3.OperationalError, psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise OSError(f"the database is away: {error}") from error

    def last_fact(self) -> int:
        return int(self.one("SELECT coalesce(max(seq), 0) FROM event"))

    def cursor(self, name: str) -> int:
        return int(self.one(f"SELECT coalesce(max(seq), 0) FROM cursor WHERE name = '{name}'"))

    def lease(self, name: str) -> str:
        """Whatever changes when it is taken or renewed."""
        return str(self.one(f"SELECT cast(until AS text) FROM lease WHERE name = '{name}'"))

    def job_of(self, worker: str) -> str | None:
        """Whose lease one of its lives holds; None: of no job."""
        found = self.one(f"SELECT cast(id AS text) FROM job WHERE phase = 'Running' AND owner LIKE '{worker}-%'")
        return None if found is None else str(found)

    def is_done_by_another(self, job: str, worker: str) -> bool:
        """The job runs, and this worker has lost it."""
        where = f"cast(id AS text) = '{job}' AND phase = 'Running' AND owner NOT LIKE '{worker}-%'"
        return bool(self.one(f"SELECT count(*) FROM job WHERE {where}"))

    def is_over(self, job: str) -> bool:
        return not self.one(f"SELECT count(*) FROM job WHERE cast(id AS text) = '{job}' AND finished_at IS NULL")

    def _one(self, query: str) -> Any:
        if self._url.startswith("sqlite:///"):
            connection = sqlite3.connect(f"file:{self._url.removeprefix('sqlite:///')}?mode=ro", uri=True, timeout=10)
            try:
                row = connection.execute(query).fetchone()
            finally:
                connection.close()
        else:
            address = self._url.replace("+psycopg", "")
            with psycopg.connect(address, connect_timeout=5, options="-c default_transaction_read_only=on") as opened:
                row = opened.execute(query.encode()).fetchone()
        return row[0] if row else None
