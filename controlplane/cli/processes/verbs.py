"""One verb a process: api, ui, relay, reactions, reconciler, worker, serve; and `db upgrade`.

What a process is made of takes seconds to import: each verb imports its own, so that those who only ask need not wait.
"""

import os
import sys
from typing import NoReturn

import typer

from controlplane.cli.output import refuse, terminal
from controlplane.settings import Settings
from processes.asgi import ASGIApp

db = typer.Typer(no_args_is_help=True, help="The database's schema.")


def register(app: typer.Typer) -> None:
    for verb in (api, ui, relay, reactions, reconciler):
        app.command()(verb)
    # whatever follows is read by the other program, `--help` too
    raw = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    app.command(context_settings=raw)(worker)
    app.command(context_settings=raw)(serve)
    app.add_typer(db, name="db")


@db.command("upgrade")
def db_upgrade(context: typer.Context) -> None:
    """Migrate the database to this code's schema, under a lock; safe to run twice and from two places."""
    from controlplane.cli.processes.bootstrap import upgraded_database
    from controlplane.store.schema import SCHEMA_VERSION

    screen = terminal(context)
    upgraded_database(screen).close()
    screen.say(f"schema version {SCHEMA_VERSION}")


def api(context: typer.Context) -> None:
    """HTTP /v1, /metrics, /healthz, /readyz."""
    from controlplane.api.app import create_app
    from controlplane.cli.processes.machine import ready_database
    from processes.memory import settle, share_arenas
    from processes.slow_clients import allow_many_connections
    from processes.stopping import API_DRAIN_SECONDS

    share_arenas()
    allow_many_connections()
    with ready_database(context) as (settings, database):
        app = create_app(settings, database)
        settle()
        _listen(app, settings, settings.port, API_DRAIN_SECONDS)


def ui(context: typer.Context) -> None:
    """The web UI: a client of the API, in a process of its own."""
    from controlplane.ui.app import UI
    from processes.file_permissions import make_home
    from processes.logs import log_to_stderr
    from processes.memory import settle, share_arenas
    from processes.stopping import UI_DRAIN_SECONDS

    settings = terminal(context).settings
    log_to_stderr(settings.log_level, quiet=("httpx", "httpcore"))
    share_arenas()
    make_home(settings.home)
    app = UI(settings.resolved_api_url(), settings.ui_sessions_folder()).app()
    settle()
    _listen(app, settings, settings.served_ui_port(), UI_DRAIN_SECONDS)


def _listen(app: ASGIApp, settings: Settings, port: int, drain_seconds: int) -> None:
    """Answers until it is stopped, and then what is under way for so long."""
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from processes.slow_clients import impatient

    uvicorn.run(
        app,
        host=settings.host,
        port=port,
        http=impatient(H11Protocol),
        log_config=None,  # ours: uvicorn's own writes what an exception says
        access_log=False,
        proxy_headers=settings.trusted_proxies is not None,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=drain_seconds,
    )


def relay(context: typer.Context) -> None:
    """Outbox → Kafka, in order, at least once."""
    if terminal(context).settings.kafka_bootstrap_servers is None:
        refuse("GRAFTWORK_KAFKA_BOOTSTRAP_SERVERS is not set: without Kafka there is nothing to relay to")
    from controlplane import relay as relaying
    from controlplane.cli.processes.machine import ready_database, until_stopped
    from controlplane.store.bell import hearing
    from processes.memory import settle

    settle()
    with ready_database(context) as (settings, database), hearing(database):
        relaying.run(database, settings, until_stopped())


def reactions(context: typer.Context) -> None:
    """Consumes inbound events (Kafka) and reacts to our own facts."""
    from controlplane.cli.processes.machine import ready_database, until_stopped
    from controlplane.reactions import loop as reacting
    from controlplane.store.bell import hearing
    from processes.memory import settle

    settle()
    with ready_database(context) as (settings, database), hearing(database):
        reacting.run(database, settings, until_stopped())


def reconciler(context: typer.Context) -> None:
    """What only time moves: leases, canary folds, rollout steps, trigger windows, retention."""
    from controlplane import reconciler as reconciling
    from controlplane.cli.processes.machine import ready_database, until_stopped

    with ready_database(context) as (settings, database):
        reconciling.run(database, settings, until_stopped())


def worker(context: typer.Context) -> None:
    """Claims and runs jobs of the kinds named, or of `all`: `graftwork worker train evaluate --name worker-1`."""
    become("workers.runtime", context)


def serve(context: typer.Context) -> None:
    """Answers predictions, splits traffic, observes: `graftwork serve --deployment reviews --port 8710 --name g1`."""
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
