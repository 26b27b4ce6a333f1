"""This machine's database and signals, for the verbs that are processes."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator

import typer

from controlplane import continuations
from controlplane.cli.output import terminal
from controlplane.settings import Settings
from controlplane.store import schema
from controlplane.store.database import Database
from processes.file_permissions import make_home
from processes.logs import log_to_stderr


def open_database(settings: Settings) -> Database:
    make_home(settings.home)
    return continuations.open_database(settings.resolved_database_url())


@contextlib.contextmanager
def ready_database(context: typer.Context) -> Iterator[tuple[Settings, Database]]:
    """The database, once its schema fits this code."""
    settings = terminal(context).settings
    log_to_stderr(settings.log_level, quiet=("httpx", "httpcore", "kafka", "alembic"))
    database = open_database(settings)
    schema.wait_until_current(database, lambda text: logging.getLogger("graftwork").warning(text))
    try:
        yield settings, database
    finally:
        database.close()


def until_stopped() -> threading.Event:
    """Set by SIGTERM and by Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
