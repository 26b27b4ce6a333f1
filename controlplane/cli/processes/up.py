"""`graftwork up`: everything on this machine."""

import threading
from typing import Annotated

import typer

from controlplane.cli.output import terminal
from controlplane.cli.processes.demo_mark import is_demo

OF_A_DEMO = (
    "This is what the demo left in {home}: look around. The next demo and `make clean` wipe it: "
    "your own work belongs into a folder of its own, `graftwork up --home my-site`."
)


def register(app: typer.Typer) -> None:
    app.command()(up)


def up(
    context: typer.Context,
    workers: Annotated[int, typer.Option(min=0, max=64, help="worker processes, each for every kind of job")] = 1,
) -> None:
    """API, reconciler, reactions, workers, and a gateway for each deployment; Ctrl-C stops them all."""
    # here: they take seconds to import, which the other verbs need not wait for
    from controlplane.cli.processes.bootstrap import upgraded_database
    from controlplane.cli.processes.machine import until_stopped
    from controlplane.cli.processes.supervisor import GATEWAY_PORTS_ABOVE_API, Supervisor

    screen = terminal(context)
    database = upgraded_database(screen)
    supervisor = Supervisor(screen.settings, database, screen.say, workers)
    stop: threading.Event = until_stopped()
    try:
        screen.say(f"starting the API, the reconciler, the reactions and {workers} worker(s) …")
        supervisor.start()
        settings = screen.settings
        gateways = settings.port + GATEWAY_PORTS_ABOVE_API
        screen.say(f"Graftwork is up: {settings.served_api_url()} · logs in {settings.home / 'logs'}")
        screen.say(
            f"the web UI: {settings.served_ui_url()} · sign in with the token in {settings.home / 'admin.token'}"
        )
        screen.say(f"each deployment gets a gateway, on port {gateways} and those above it")
        if is_demo(screen.settings.home):
            screen.say(OF_A_DEMO.format(home=screen.settings.home))
        supervisor.watch(stop)
    finally:
        supervisor.stop()
        database.close()
