"""How many records may be sent together: so many that they fit into one batch of every partition."""

from collections.abc import Iterator, Sequence
from typing import Final

from schemas.kafka_binding import KafkaMessage

CHUNK_BYTES: Final = 256 * 1024
"""Half of a batch, which is half of what a broker takes by default."""
OVERHEAD_BYTES: Final = 100
"""Bytes that a record takes beside its key, value and headers, at most."""
Records = Sequence[tuple[str, KafkaMessage]]


def chunks_of(records: Records) -> Iterator[Records]:
    """Cut where a batch would be full; a record that is larger than a chunk is one by itself."""
    begin = size = 0
    for place, (_, message) in enumerate(records):
        more = OVERHEAD_BYTES + len(message.key or b"") + len(message.value or b"")
        more += sum(len(name) + len(value) + 4 for name, value in message.headers)
        if size and size + more > CHUNK_BYTES:
            yield records[begin:place]
            begin, size = place, 0
        size += more
    if begin < len(records):
        yield records[begin:]
