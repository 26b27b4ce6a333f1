"""Lets Kafka's client library read records whose headers have names of any bytes: a stranger's may."""

from collections.abc import Iterator
from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch


def read_any_name() -> None:
    """From now on, in this process. The library offers no other place for it than its own module."""
    memory_records.DefaultRecordBatch = _ReadableBatch


class _Name(bytes):
    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")


class _Bytes(bytearray):
    def __getitem__(self, place: Any) -> Any:
        part = super().__getitem__(place)
        return _Name(part) if isinstance(place, slice) else part


class _ReadableBatch(DefaultRecordBatch):  # type: ignore[misc]
    """A batch whose headers' names may be any bytes.

    The client library decodes them strictly, and there is no way past a record that it cannot read: one from a
    stranger stopped its partition for ever.
    """

    def __iter__(self) -> Iterator[Any]:
        records: Iterator[Any] = super().__iter__()
        self._buffer = _Bytes(self._buffer)  # type: ignore[has-type]
        return records
