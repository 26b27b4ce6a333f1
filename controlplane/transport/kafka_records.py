"""Lets Kafka's client library get past what it cannot read: no batch of a stranger's records may stop its partition.

kafka-python 3.0.12 raises out of `poll` for a batch whose checksum is wrong, whose compression it does not know or
whose structure is broken, says neither where nor how long that batch is, and meets it again at the next poll.
"""

from collections.abc import Iterator
from typing import Any, Final

from kafka.consumer import fetcher
from kafka.record.default_records import DefaultRecord, DefaultRecordBatch
from kafka.record.legacy_records import LegacyRecordBatch
from kafka.record.memory_records import MemoryRecords

from controlplane.transport.kafka_codecs import UnreadableBatch, decompressed
from controlplane.transport.port import UNREADABLE_BATCH

MAGIC_OFFSET: Final = MemoryRecords.MAGIC_OFFSET
OFFSET_BYTES: Final = 8


def read_anything() -> None:
    """From now on, in this process. The library offers no other place for it than its own module."""
    fetcher.MemoryRecords = _Records


class _Records(MemoryRecords):  # type: ignore[misc]  # kafka-python is untyped
    """What a broker answered for one partition. A batch that cannot be decoded is one record that says so."""

    __slots__ = ()

    def next_batch(self, *_: Any) -> Any:
        part = self._next_slice
        if part is None:
            return None
        self._cache_next()
        raw = bytes(part)
        try:
            return _batch(raw)
        except Exception as error:
            return _Unreadable(raw, _last_offset(raw, self._next_slice), _in_words(error))


def _batch(raw: bytes) -> Any:
    magic = raw[MAGIC_OFFSET]
    if magic > 2:
        raise UnreadableBatch(f"message format {magic}, expected 0, 1 or 2")
    batch = _Batch(raw) if magic == 2 else _LegacyBatch(raw, magic)
    if not batch.validate_crc():
        raise UnreadableBatch("its checksum does not match its bytes")
    return batch


def _last_offset(raw: bytes, following: memoryview | None) -> int:
    """The last offset of an unreadable batch. Its header may be as wrong: believed only where something else agrees."""
    base = int.from_bytes(raw[:OFFSET_BYTES], "big", signed=True)
    if following is not None and (end := int.from_bytes(following[:OFFSET_BYTES], "big", signed=True)) > base:
        return end - 1
    if len(raw) >= DefaultRecordBatch.HEADER_STRUCT.size:
        batch = DefaultRecordBatch(raw)
        if 0 <= batch.last_offset_delta == batch.records_count - 1:
            return int(batch.last_offset)
    return base


def _in_words(error: Exception) -> str:
    return str(error) if isinstance(error, UnreadableBatch) else f"its records are malformed: {error}"


def _record(raw: bytes, base: int, last: int, fault: str) -> DefaultRecord:
    """A batch as one record at its last offset, so that the next batch follows it."""
    where = f"offset {last}" if base == last else f"offsets {base} to {last}"
    note = (UNREADABLE_BATCH, f"the batch of {where} cannot be decoded: {fault}".encode())
    return DefaultRecord(len(raw), last, -1, 0, None, raw, [note])


class _Unreadable:
    """A batch of which nothing is known but its bytes.

    Of no transaction: whether that was aborted cannot be known, and it has no effect anyway.
    """

    magic = 2
    leader_epoch = -1
    is_control_batch = False
    is_transactional = False

    def __init__(self, raw: bytes, last: int, fault: str) -> None:
        self.base_offset = int.from_bytes(raw[:OFFSET_BYTES], "big", signed=True)
        self.last_offset = last
        self.next_offset = last + 1
        self._raw = raw
        self._fault = fault

    def has_producer_id(self) -> bool:
        return False

    def validate_crc(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        yield _record(self._raw, self.base_offset, self.last_offset, self._fault)


class _Guarded:
    """A batch whose checksum is right. What cannot be decoded after all becomes one record at its last offset."""

    _buffer: Any
    base_offset: Any

    def __iter__(self) -> Iterator[Any]:
        raw = bytes(self._buffer)
        try:
            records = super().__iter__()  # type: ignore[misc]
            while (record := next(records, None)) is not None:
                yield record
        except Exception as error:
            last = getattr(self, "last_offset", self.base_offset)  # which old formats do not tell
            yield _record(raw, self.base_offset, last, _in_words(error))


class _LegacyBatch(_Guarded, LegacyRecordBatch):  # type: ignore[misc]
    """A batch in a format from before Kafka 0.11."""


class _Batch(_Guarded, DefaultRecordBatch):  # type: ignore[misc]
    """Headers may have names of any bytes, and no more is decompressed than memory can hold."""

    _decompressed: bool
    _pos: int

    def _maybe_uncompress(self) -> None:
        if not self._decompressed and self.compression_type != self.CODEC_NONE:
            self._buffer = decompressed(self.compression_type, bytes(self._buffer[self._pos :]))
            self._pos = 0
        self._buffer = _Bytes(self._buffer)
        self._decompressed = True


class _Bytes(bytearray):
    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Name(part) if isinstance(place, slice) else part


class _Name(bytes):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")
