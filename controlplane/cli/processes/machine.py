"""This machine's database and signals, for the verbs that are processes."""

import contextlib
import logging
import signal
import threading
from collections.abc import Iterator

import typer
from rich.markup import escape

from controlplane import continuations
from controlplane.cli.output import Terminal, terminal
from controlplane.cli.processes.private_file import write_private
from controlplane.commands.spine.audit import note_local
from controlplane.commands.spine.tokens import bootstrap_admin
from controlplane.settings import Settings
from controlplane.store import schema
from controlplane.store.database import Database
from processes.logs import log_to_stderr
from processes.private import make_home


def open_database(settings: Settings) -> Database:
    make_home(settings.home)
    return continuations.open_database(settings.resolved_database_url())


def upgraded_database(screen: Terminal) -> Database:
    """Migrated, and with its first admin."""
    database = open_database(screen.settings)
    schema.upgrade(database)
    mint_admin_token(screen, database)
    return database


def mint_admin_token(screen: Terminal, database: Database) -> None:
    """The first admin token: from the environment, else into a 0600 file. It is printed nowhere."""
    settings = screen.settings
    given = settings.bootstrap_token.get_secret_value() if settings.bootstrap_token else None
    file = settings.home / "admin.token"
    with database.begin("bootstrap") as uow:
        if (minted := bootstrap_admin(uow, given)) is None:
            return
        row, plain = minted
        note_local(uow, "token.create", f"token/{row.id}")
        if given is not None:
            return
        # Before the commit: a crash between the two leaves a token that opens nothing, not an admin whom nobody knows.
        write_private(file, plain)
    screen.say(f"the first admin token is in {escape(str(file))} (mode 0600)")


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
