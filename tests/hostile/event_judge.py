"""What must hold when all is read: every bad event is a dead letter, every good one had its effect once."""

from collections import Counter
from collections.abc import Collection, Hashable
from typing import TypeVar

from sqlmodel import select

from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow, EventRow, InHandRow
from controlplane.store.tables import TriggerEvaluationRow
from schemas.events import InboundReceived
from tests.hostile.event_kinds import SOURCE

Spot = tuple[str, int, int]
Thing = TypeVar("Thing", bound=Hashable)
SHOWN = 5


def faults_of(database: Database, good: Collection[str], bad: Collection[Spot]) -> list[str]:
    """None when everything holds. `bad` are the places where bad events were sent to; none by HTTP."""
    with database.read() as session:
        letters = list(session.exec(select(DeadLetterRow)))
        facts = [row.data for row in session.exec(select(EventRow).where(EventRow.type == InboundReceived.TYPE))]
        answers = list(session.exec(select(TriggerEvaluationRow).where(TriggerEvaluationRow.source == SOURCE)))
        in_hand = len(list(session.exec(select(InHandRow))))
    buried = Counter((letter.topic, letter.partition, letter.offset) for letter in letters)
    received = Counter(fact["event_id"] for fact in facts if fact["source"] == SOURCE)
    evaluated = Counter(row.event_id for row in answers)
    return [
        *_differences("dead letters", buried, Counter(bad)),
        *_differences("facts that say an event was received", received, Counter(good)),
        *_differences("answers of triggers", evaluated, Counter(good)),
        *[f"dead letter {letter.id} gives no reason" for letter in letters if len(letter.reason) < 10],
        *([f"{in_hand} deliveries are still in hand"] if in_hand else []),
    ]


def _differences(what: str, found: Counter[Thing], wanted: Counter[Thing]) -> list[str]:
    said = []
    for name, difference in (("missing", wanted - found), ("too many", found - wanted)):
        if difference:
            said.append(f"{what}: {difference.total()} {name}, such as {list(difference)[:SHOWN]}")
    return said
