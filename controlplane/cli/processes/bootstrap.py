"""What a site needs before its processes can start: a database of today's schema, and a first admin."""

from rich.markup import escape

from controlplane.cli.output import Terminal
from controlplane.cli.processes.machine import open_database
from controlplane.commands.spine.audit import note_local
from controlplane.commands.spine.tokens import bootstrap_admin
from controlplane.store.database import Database
from controlplane.store.upgrade import upgrade
from processes.private_file import write_private


def upgraded_database(screen: Terminal) -> Database:
    """Migrated, and with its first admin."""
    database = open_database(screen.settings)
    upgrade(database)
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
