"""Records are sent in chunks that one batch holds: in their order, each as full as it may be."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from controlplane.transport.chunks import CHUNK_BYTES, OVERHEAD_BYTES, Records, chunks_of
from schemas.kafka_binding import KafkaMessage


def size(records: Records) -> int:
    """As the chunks are measured: key, value, headers with four bytes each, and what a record costs beside."""
    return sum(
        OVERHEAD_BYTES + len(m.key or b"") + len(m.value or b"") + sum(len(n) + len(v) + 4 for n, v in m.headers)
        for _, m in records
    )


def record(value: int, header: int = 0, key: bytes | None = b"k") -> tuple[str, KafkaMessage]:
    return "topic", KafkaMessage(key, b"v" * value, (("h", b"x" * header),) if header else ())


@given(st.lists(st.tuples(st.integers(0, CHUNK_BYTES + 10), st.integers(0, 400)), max_size=12))
def test_chunks_are_the_records_in_order_and_each_as_full_as_it_may_be(sizes: list[tuple[int, int]]) -> None:
    records = [record(*one) for one in sizes]
    chunks = list(chunks_of(records))
    assert [one for chunk in chunks for one in chunk] == records
    assert all(size(chunk) <= CHUNK_BYTES or len(chunk) == 1 for chunk in chunks)
    assert all(size([*first, second[0]]) > CHUNK_BYTES for first, second in pairwise(chunks))


def test_a_chunk_may_be_filled_to_its_last_byte() -> None:
    half = CHUNK_BYTES // 2 - OVERHEAD_BYTES
    full = [record(half, key=None), record(half, key=None)]
    assert size(full) == CHUNK_BYTES
    assert list(chunks_of(full)) == [full]
    assert [len(chunk) for chunk in chunks_of([record(half, key=None), record(half)])] == [1, 1]
    assert list(chunks_of([])) == []
