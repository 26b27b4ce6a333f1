"""What a producer compressed is read whole or refused in words; never more than memory can hold."""

import gzip
from collections.abc import Callable

import lz4.frame
import pytest
import zstandard
from kafka.codec import snappy_encode

from controlplane.transport import kafka_codecs
from controlplane.transport.kafka_codecs import UnreadableBatch, decompressed

COMPRESS: dict[int, Callable[[bytes], bytes]] = {
    1: gzip.compress,
    2: snappy_encode,
    3: lz4.frame.compress,
    4: zstandard.ZstdCompressor().compress,
}
TEXT = b"one event after the other " * 5000


@pytest.mark.parametrize("codec", COMPRESS)
def test_what_was_compressed_is_read(codec: int) -> None:
    assert decompressed(codec, COMPRESS[codec](TEXT)) == TEXT


@pytest.mark.parametrize("codec", [1, 4])
def test_several_members_are_one_batch(codec: int) -> None:
    assert decompressed(codec, COMPRESS[codec](TEXT) + COMPRESS[codec](TEXT)) == TEXT * 2


@pytest.mark.parametrize("codec", COMPRESS)
def test_half_a_batch_is_refused(codec: int) -> None:
    whole = COMPRESS[codec](TEXT)
    with pytest.raises(UnreadableBatch, match=r"gzip|snappy|lz4|zstd"):
        assert decompressed(codec, whole[: len(whole) // 2]) == TEXT


@pytest.mark.parametrize("codec", COMPRESS)
def test_more_than_the_limit_is_refused_and_never_unpacked(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_codecs, "MAX_BATCH_BYTES", len(TEXT))
    assert decompressed(codec, COMPRESS[codec](TEXT)) == TEXT
    with pytest.raises(UnreadableBatch, match=f"more than {len(TEXT)} bytes"):
        decompressed(codec, COMPRESS[codec](TEXT + b"!"))


def test_a_codec_nobody_knows_is_named() -> None:
    with pytest.raises(UnreadableBatch, match="codec 5, expected one of gzip, snappy, lz4, zstd"):
        decompressed(5, b"")
