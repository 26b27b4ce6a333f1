"""Says whether a consumer of a group is between its old partitions and its new ones, and for how long."""

import time
from collections.abc import Collection
from typing import Final

from kafka import ConsumerRebalanceListener, TopicPartition

REJOIN_SECONDS: Final = 15.0
"""Longer than a session (10 s), after which the broker no longer waits for a member that died."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python is untyped
    """A rebalance that does not end.

    kafka-python 3.0.12 forgets a rejoin that a change of the topics' metadata began when a poll ends before the
    broker's answer comes: the next poll takes the member for joined, with no partitions and no heartbeats, for ever.
    Seen at a first join, on a machine that was busy.
    """

    def __init__(self) -> None:
        self._left_at: float | None = None

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if self._left_at is None:
            self._left_at = time.monotonic()

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._left_at = None

    @property
    def is_lost(self) -> bool:
        """The rebalance has lasted too long to end by itself."""
        return self._left_at is not None and time.monotonic() - self._left_at > REJOIN_SECONDS
