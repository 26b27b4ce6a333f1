"""Which events a run sends, in which order: drawn from a seed, so that the same seed sends the same."""

from dataclasses import dataclass
from random import Random

from schemas.kafka_binding import KafkaMessage
from tests.trials.hostile.event_kinds import BAD, GOOD

AGAIN = 0.1
"""Share of events that come again: in the same words or, under the same id, in others."""
BAD_SHARE = 0.4


@dataclass(frozen=True)
class Planned:
    kind: str
    message: KafkaMessage
    id: str | None
    """The id of a good event, which must have its effect once, however often it comes. None: it must be refused."""


def plan_events(seed: int, count: int) -> list[Planned]:
    """Every kind in turn, shuffled."""
    draw = Random(seed)
    kinds = {True: list(GOOD), False: list(BAD)}
    planned: list[Planned] = []
    for number in range(count):
        good = draw.random() >= BAD_SHARE
        kind = kinds[good][number % len(kinds[good])]
        earlier = draw.choice(planned) if planned and draw.random() < AGAIN else None
        if good and earlier is not None and earlier.id is not None:
            planned.append(draw.choice([earlier, _good(draw, kind, earlier.id)]))
        elif good:
            planned.append(_good(draw, kind, f"event-{seed}-{number}"))
        else:
            planned.append(Planned(kind, BAD[kind](draw, f"bad-{seed}-{number}"), None))
    draw.shuffle(planned)
    return planned


def _good(draw: Random, kind: str, event_id: str) -> Planned:
    return Planned(kind, GOOD[kind](draw, event_id), event_id)
