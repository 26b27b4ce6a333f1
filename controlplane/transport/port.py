"""What relay and reactions need of a transport, and nothing of any client library."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from schemas.kafka_binding import KafkaMessage


class Unavailable(Exception):
    """The broker cannot be reached or did not answer in time: the outcome is unknown, so try again."""


HELD_BACK: Final = "an earlier record of its key was refused"
"""The outcome of a record that was not sent, because it must not overtake."""


UNREADABLE_BATCH: Final = "graftwork-unreadable-batch"
"""The header of a delivery that is the bytes of a whole batch of records, as nobody can decode it; it says why."""


@dataclass(frozen=True)
class Delivery:
    """One message and where it came from; the place is unique for ever."""

    topic: str
    partition: int
    offset: int
    message: KafkaMessage


@dataclass(frozen=True)
class Standing:
    """How far a partition is read that others write to."""

    topic: str
    partition: int
    position: int
    """The offset that is read next."""
    end: int
    """The offset where what may be read ends: at the oldest open transaction, else at `high_watermark`."""
    high_watermark: int
    """Where the next record goes."""


class Publisher(Protocol):
    """The way out."""

    def publish(self, records: Sequence[tuple[str, KafkaMessage]]) -> list[str | None]:
        """Send to topics in this order and wait for every acknowledgement.

        Answers for each record None, or why the broker refuses it for good; what follows a refused record of the
        same key is HELD_BACK. Raises Unavailable when an outcome is unknown: the caller sends all of them again.
        """

    def close(self) -> None: ...


class Source(Protocol):
    """The way in, for one named reader that remembers how far it has come."""

    def poll(self, seconds: float) -> list[Delivery]:
        """What comes next, waiting so long for the first. Raises Unavailable."""

    def done(self, delivery: Delivery) -> None:
        """This one and those before it on its partition have had their effect, or are dead letters."""

    def retry(self, delivery: Delivery, seconds: float) -> None:
        """Begin again with this one, not before so many seconds have passed."""

    def commit(self) -> None:
        """Remember for good what is done. A crash before this means redelivery, never loss. Raises Unavailable."""

    def standings(self) -> list[Standing]:
        """How far each partition is that is this reader's now; none where nobody else writes. Raises Unavailable."""

    def close(self) -> None: ...
