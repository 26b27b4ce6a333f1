"""What must hold when all is read: every bad event is a dead letter, every good one had its effect once."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

import httpx
from sqlmodel import select

from controlplane.projections.dead_letters import delivery_of
from controlplane.store.database import Database
from controlplane.store.spine_tables import DeadLetterRow, EventRow, InFlightRow
from controlplane.store.tables import TriggerEvaluationRow
from schemas.facts import InboundReceived
from schemas.kafka_binding import KafkaMessage
from schemas.problem import MEDIA_TYPE
from tests.trials.hostile.event_kinds import SOURCE
from tests.trials.hostile.event_plan import Planned
from tests.trials.hostile.refusals import lacks

TopicPartitionOffset = tuple[str, int, int]
Thing = TypeVar("Thing", bound=Hashable)
SHOWN = 5
NO_HTTP = (400, "Invalid HTTP request received.")
"""The HTTP server's own word for headers that it does not read, such as huge ones: they never come as far as us."""


def faults_of(database: Database, good: Collection[str], bad: Mapping[TopicPartitionOffset, KafkaMessage]) -> list[str]:
    """None when everything holds. `bad` are the bad events by where they were sent to; none by HTTP."""
    with database.read() as session:
        letters = list(session.exec(select(DeadLetterRow)))
        facts = [row.data for row in session.exec(select(EventRow).where(EventRow.type == InboundReceived.TYPE))]
        answers = list(session.exec(select(TriggerEvaluationRow).where(TriggerEvaluationRow.source == SOURCE)))
        in_flight = len(list(session.exec(select(InFlightRow))))
    buried = Counter((letter.topic, letter.partition, letter.offset) for letter in letters)
    received = Counter(fact["event_id"] for fact in facts if fact["source"] == SOURCE)
    evaluated = Counter(row.event_id for row in answers)
    return [
        *_differences("dead letters", buried, Counter(list(bad))),
        *_differences("facts that say an event was received", received, Counter(good)),
        *_differences("answers of triggers", evaluated, Counter(good)),
        *_unlike_sent(letters, bad),
        *[f"dead letter {letter.id} gives no reason" for letter in letters if len(letter.reason) < 10],
        *([f"{in_flight} deliveries are still in flight"] if in_flight else []),
    ]


def faults_of_answer(one: Planned, answer: httpx.Response) -> list[str]:
    """A good event is accepted with 202; a bad one is refused with 4xx, in words."""
    status = answer.status_code
    if status == 202 if one.id is not None else 400 <= status < 500:
        if one.id is not None or (status, answer.text) == NO_HTTP:
            return []
        problem = answer.json() if answer.headers.get("content-type") == MEDIA_TYPE else {}
        missing = lacks(status, answer.headers, problem, by_gateway=False)
        return [f"{one.kind}: {status} with {said}" for said in missing]
    return [f"{one.kind}: {status} {answer.text[:300]}"]


def _unlike_sent(letters: Sequence[DeadLetterRow], bad: Mapping[TopicPartitionOffset, KafkaMessage]) -> Iterator[str]:
    """A letter is kept as it came, whatever its bytes: a replay, and whoever asks, must find that."""
    for letter in letters:
        sent = bad.get((letter.topic, letter.partition, letter.offset))
        if sent is None:
            continue  # one too many: said already
        kept = delivery_of(letter).message
        headers = tuple((_as_read(name), value) for name, value in sent.headers)
        for part, was, now in (
            ("key", sent.key, kept.key), ("value", sent.value, kept.value), ("headers", headers, kept.headers),
        ):  # fmt: skip
            if was != now:
                yield f"dead letter {letter.id} ({letter.reason[:100]}): its {part} is not what was sent"


def _as_read(name: str) -> str:
    """A header's text as it is read: bytes that are no UTF-8 are spelled out."""
    return name.encode().decode(errors="backslashreplace")


def _differences(what: str, found: Counter[Thing], wanted: Counter[Thing]) -> list[str]:
    said = []
    for name, difference in (("missing", wanted - found), ("too many", found - wanted)):
        if difference:
            said.append(f"{what}: {difference.total()} {name}, such as {list(difference)[:SHOWN]}")
    return said
