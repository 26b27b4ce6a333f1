"""One verb a process: api, relay, reactions, reconciler, worker, serve; and `db upgrade`."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

import typer
import uvicorn
from rich.markup import escape

from controlplane import reconciler as reconciling
from controlplane import relay as relaying
from controlplane.api.app import create_app
from controlplane.cli.output import Terminal, refuse, terminal
from controlplane.cli.secret_file import write_secret
from controlplane.commands.tokens import bootstrap_admin
from controlplane.reactions import loop as reacting
from controlplane.settings import Settings
from controlplane.store import schema
from controlplane.store.database import Database

db = typer.Typer(no_args_is_help=True, help="The database's schema.")


def register(app: typer.Typer) -> None:
    for verb in (api, relay, reactions, reconciler):
        app.command()(verb)
    raw = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=raw)(worker)
    app.command(context_settings=raw)(serve)
    app.add_typer(db, name="db")


def log_to_stderr(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    for noisy in ("httpx", "httpcore", "kafka", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def open_database(settings: Settings) -> Database:
    if settings.database_url is None:
        settings.home.mkdir(parents=True, exist_ok=True)
    return Database(settings.resolved_database_url())


@db.command("upgrade")
def db_upgrade(context: typer.Context) -> None:
    """Migrate the database to this code's schema, under a lock; safe to run twice and from two places."""
    screen = terminal(context)
    database = open_database(screen.settings)
    schema.upgrade(database)
    mint_admin_token(screen, database)
    screen.say(f"schema version {schema.SCHEMA_VERSION}")


def mint_admin_token(screen: Terminal, database: Database) -> None:
    """The first admin token: from the environment, else into a 0600 file. It is printed nowhere."""
    settings = screen.settings
    given = settings.bootstrap_token.get_secret_value() if settings.bootstrap_token else None
    file = settings.home / "admin.token"
    with database.begin("bootstrap") as uow:
        plain = bootstrap_admin(uow, given)
        if plain is None or given is not None:
            return
        # Before the commit: a crash between the two leaves a token that opens nothing, not an admin whom nobody knows.
        write_secret(file, plain)
    screen.say(f"the first admin token is in {escape(str(file))} (mode 0600)")


@contextlib.contextmanager
def ready_database(context: typer.Context) -> Iterator[tuple[Settings, Database]]:
    """The database, once its schema fits this code."""
    settings = terminal(context).settings
    log_to_stderr(settings)
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


def api(context: typer.Context) -> None:
    """HTTP /v1, /metrics, /healthz, /readyz."""
    with ready_database(context) as (settings, database):
        uvicorn.run(
            create_app(settings, database),
            host=settings.host,
            port=settings.port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
        )


def relay(context: typer.Context) -> None:
    """Outbox → Kafka, in order, at least once."""
    if terminal(context).settings.kafka_bootstrap_servers is None:
        refuse("GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS is not set: without Kafka there is nothing to relay to")
    with ready_database(context) as (settings, database):
        relaying.run(database, settings, until_stopped())


def reactions(context: typer.Context) -> None:
    """Consumes inbound events (Kafka) and reacts to our own facts."""
    with ready_database(context) as (settings, database):
        reacting.run(database, settings, until_stopped())


def reconciler(context: typer.Context) -> None:
    """What only time moves: leases, canary folds, rollout steps, trigger windows, retention."""
    with ready_database(context) as (settings, database):
        reconciling.run(database, settings, until_stopped())


def worker(context: typer.Context) -> None:
    """Claims and runs jobs of the kinds named: `graftwork worker train evaluate`."""
    become("workers.runtime", context)


def serve(context: typer.Context) -> None:
    """Answers predictions, splits traffic, observes: `graftwork serve --deployment reviews --port 8710`."""
    become("workers.serve", context)


def become(module: str, context: typer.Context) -> NoReturn:
    """Replace this process by another module's: the control plane does not import a worker."""
    settings = terminal(context).settings
    environment = {
        **os.environ,
        "GRAFTWORK_HOME": str(settings.home.absolute()),
        "GRAFTWORK_API_URL": settings.resolved_api_url(),
    }
    os.execve(sys.executable, [sys.executable, "-m", module, *context.args], environment)
