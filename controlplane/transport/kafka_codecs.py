"""Decompresses a batch of records, up to a limit: the producer chose how much that is, and memory is ours."""

import zlib
from collections.abc import Callable, Mapping
from typing import Final

import lz4.frame
import zstandard
from kafka.codec import snappy_decode

MAX_BATCH_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a batch of records after decompression, at most; a larger one is a dead letter."""
ZSTD_PART_BYTES: Final = 1024
GZIP: Final = 16 + zlib.MAX_WBITS


class UnreadableBatch(Exception):
    """Why a batch of records cannot be decoded, in words."""


def decompressed(codec: int, data: bytes) -> bytes:
    """The batch's records. Raises UnreadableBatch for a codec nobody knows, for too much, and for broken data."""
    if codec not in CODECS:
        raise UnreadableBatch(f"compression codec {codec}, expected one of {', '.join(n for n, _ in CODECS.values())}")
    name, decompress = CODECS[codec]
    try:
        found = decompress(data)
    except UnreadableBatch:
        raise
    except Exception as error:  # each library raises what it likes
        raise UnreadableBatch(f"its {name} data cannot be decompressed: {error}") from error
    if len(found) > MAX_BATCH_BYTES:
        raise UnreadableBatch(f"its {name} data is more than {MAX_BATCH_BYTES} bytes when decompressed")
    return found


def _gzip(data: bytes) -> bytes:
    """Decompress gzip data of one member or of several, as the format allows."""
    found = bytearray()
    while data and len(found) <= MAX_BATCH_BYTES:
        member = zlib.decompressobj(GZIP)
        found += member.decompress(data, MAX_BATCH_BYTES + 1 - len(found))
        if not member.eof and len(found) <= MAX_BATCH_BYTES:
            raise UnreadableBatch("its gzip data ends too early")
        data = member.unused_data
    return bytes(found)


def _lz4(data: bytes) -> bytes:
    frame = lz4.frame.LZ4FrameDecompressor()
    found: bytes = frame.decompress(data, max_length=MAX_BATCH_BYTES + 1)
    if not frame.eof and len(found) <= MAX_BATCH_BYTES:
        raise UnreadableBatch("its lz4 data ends too early")
    return found


def _zstd(data: bytes) -> bytes:
    """Fed in small parts: each may become four thousand times as much, and the library offers no other limit."""
    found = bytearray()
    while data and len(found) <= MAX_BATCH_BYTES:
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof and len(found) <= MAX_BATCH_BYTES:
            if not data:
                raise UnreadableBatch("its zstd data ends too early")
            found += frame.decompress(data[:ZSTD_PART_BYTES])
            data = data[ZSTD_PART_BYTES:]
        data = frame.unused_data + data
    return bytes(found)


def _snappy(data: bytes) -> bytes:
    """At most about 30 times what came: no limit is needed."""
    found: bytes = snappy_decode(data)
    return found


CODECS: Final[Mapping[int, tuple[str, Callable[[bytes], bytes]]]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _lz4),
    4: ("zstd", _zstd),
}
"""By the number that a batch's attributes hold."""
