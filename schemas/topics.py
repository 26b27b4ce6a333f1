"""Topic and consumer-group names: the only place that builds one."""

from functools import cache
from typing import Final

from schemas.cloudevent import OUR_PREFIX
from schemas.facts import EVENTS

INBOUND: Final = "graftwork.inbound"
DEAD_LETTER: Final = "graftwork.dead-letter"
REACTIONS_GROUP: Final = "controlplane.reactions"
JOB: Final = "graftwork.job"
PARTITIONS: Final = 6


@cache
def topic_of(event_type: str) -> str:
    """`dev.graftwork.job.requested.v1` travels on `graftwork.job`."""
    aggregate = event_type.removeprefix(OUR_PREFIX).split(".")[0]
    return f"graftwork.{aggregate}"


FACT_TOPICS: Final[tuple[str, ...]] = tuple(sorted({topic_of(e.TYPE) for e in EVENTS}))
ALL_TOPICS: Final[tuple[str, ...]] = (*FACT_TOPICS, INBOUND, DEAD_LETTER)
