"""Our own facts, as triggers hear them: one reaction a type."""

from collections.abc import Callable, Mapping
from typing import Final

from controlplane.commands.automation.triggers import Incoming, ask_triggers, let_fire
from controlplane.store.unit_of_work import Cause, UnitOfWork
from schemas.cloudevent import FeedEvent
from schemas.facts import EVENTS


def react(uow: UnitOfWork, event: FeedEvent) -> None:
    """Ask the triggers that listen to this fact. One that nobody listens to is not recorded: most are not."""
    incoming = Incoming(event.model_dump(mode="json"), event.causationid)
    let_fire(uow, ask_triggers(uow, incoming), Cause(event.correlationid, event.id))


REACTIONS: Final[Mapping[str, Callable[[UnitOfWork, FeedEvent], None]]] = {event.TYPE: react for event in EVENTS}
"""Every fact may be listened to, and which ones are is a row in a table."""
