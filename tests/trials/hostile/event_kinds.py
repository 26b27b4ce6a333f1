"""Every way in which somebody else's event is right or wrong that we could think of: a name and what makes one."""

import json
from collections.abc import Callable
from random import Random
from typing import Any, Final

from schemas.cloudevent import MAX_EVENT_BYTES
from schemas.event_formats import BATCH, STRUCTURED
from schemas.kafka_binding import KafkaMessage

Headers = list[tuple[str, bytes]]
Make = Callable[[Random, str], KafkaMessage]
"""Makes the message of a drawn event with this id; its source is `/hostile`."""


class RawName(str):
    """A header's name as a careless client writes it: Kafka itself never looks."""

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"\xff\xfe"


SOURCE: Final = "/hostile"
TYPES: Final = ("com.example.rows", "com.example.unknown.v7", "x", "Ünïcode", "org.other.deep.name.v99")
"""The planted trigger listens to the first."""


def attributes(draw: Random, event_id: str, **more: str | None) -> Headers:
    """The attributes of an event in binary mode, as headers; None takes one away."""
    given = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": draw.choice(TYPES), **more}
    return [(f"ce_{name}", value.encode()) for name, value in given.items() if value is not None]


def binary(value: bytes | None, headers: Headers, media: str | None = "application/json") -> KafkaMessage:
    content = [("content-type", media.encode())] if media is not None else []
    return KafkaMessage(b"key", value, (*content, *headers))


def structured(draw: Random, event_id: str, body: bytes | None = None, **more: Any) -> KafkaMessage:
    document = {"specversion": "1.0", "id": event_id, "source": SOURCE, "type": draw.choice(TYPES), **more}
    value = json.dumps(document).encode() if body is None else body
    return KafkaMessage(b"key", value, (("content-type", STRUCTURED.encode()),))


def batch(*documents: Any) -> KafkaMessage:
    return KafkaMessage(b"key", json.dumps(documents).encode(), (("content-type", BATCH.encode()),))


def data(draw: Random) -> Any:
    """Anything that JSON can be and a database can hold."""
    return draw.choice([None, 0, -1, 2**62, 1.5, "", "text", "\u202eevil", [], {}, [[1], {"a": None}], {"é": "😀" * 9}])


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


GOOD: Final[dict[str, Make]] = {
    "binary JSON": lambda d, i: binary(json.dumps(data(d)).encode(), attributes(d, i)),
    "structured": lambda d, i: structured(d, i, data=data(d)),
    "a batch of one": lambda d, i: batch(json.loads(structured(d, i, data=data(d)).value or b"")),
    "no data at all": lambda d, i: binary(None, attributes(d, i)),
    "no content-type": lambda d, i: binary(b"[1]", attributes(d, i), media=None),
    "text": lambda d, i: binary("grüße".encode(), attributes(d, i), "text/plain; charset=utf-8"),
    "bytes": lambda d, i: binary(d.randbytes(64), attributes(d, i), "application/octet-stream"),
    "bytes in structured mode": lambda d, i: structured(d, i, data_base64="AAEC"),
    "extensions": lambda d, i: binary(b"{}", attributes(d, i, traceparent="00-1", correlationid=f"c-{i}", n1="7")),
    "typed extensions": lambda d, i: structured(d, i, retries=3, urgent=True),
    "a time with an offset": lambda d, i: binary(b"{}", attributes(d, i, time="2026-11-24T12:00:00.5+05:30")),
    "a long subject": lambda d, i: binary(b"{}", attributes(d, i, subject="s" * 1024)),
    "deep as we read": lambda d, i: binary(nested(60), attributes(d, i)),
    "large as we take": lambda d, i: binary(b'"' + b"x" * (MAX_EVENT_BYTES - 2) + b'"', attributes(d, i)),
    "names of other people": lambda d, i: binary(b"{}", [*attributes(d, i), (RawName("x"), b"1")]),
    "headers of other people": lambda d, i: binary(b"{}", [*attributes(d, i), ("b3", b"\xff\xfe"), ("x", b"\0")]),
}
BAD: Final[dict[str, Make]] = {
    "a tombstone": lambda d, i: KafkaMessage(i.encode(), None, ()),
    "noise": lambda d, i: KafkaMessage(d.randbytes(8), d.randbytes(d.randrange(1, 400)), ()),
    "noise with an id": lambda d, i: binary(d.randbytes(40), [("ce_id", d.randbytes(20))]),
    "no specversion": lambda d, i: binary(b"{}", attributes(d, i, specversion=None)),
    "no id": lambda d, i: binary(b"{}", attributes(d, i, id=None)),
    "no source": lambda d, i: binary(b"{}", attributes(d, i, source=None)),
    "no type": lambda d, i: binary(b"{}", attributes(d, i, type=None)),
    "an empty id": lambda d, i: binary(b"{}", attributes(d, i, id="")),
    "an empty source": lambda d, i: binary(b"{}", attributes(d, i, source="")),
    "an attribute twice": lambda d, i: binary(b"{}", [*attributes(d, i), ("ce_type", b"again")]),
    "version 0.3": lambda d, i: binary(b"{}", attributes(d, i, specversion="0.3")),
    "version 2.0": lambda d, i: structured(d, i, specversion="2.0"),
    "a fact of ours": lambda d, i: binary(b"{}", attributes(d, i, type="dev.graftwork.job.succeeded.v1")),
    "our source": lambda d, i: binary(b"{}", attributes(d, i, source="graftwork")),
    "a time in words": lambda d, i: binary(b"{}", attributes(d, i, time="yesterday")),
    "a time in seconds": lambda d, i: binary(b"{}", attributes(d, i, time="1700000000")),
    "a time without a zone": lambda d, i: binary(b"{}", attributes(d, i, time="2026-11-24T12:00:00")),
    "the 30th of February": lambda d, i: structured(d, i, time="2026-02-30T00:00:00Z"),
    "a header that is no UTF-8": lambda d, i: binary(b"{}", [*attributes(d, i), ("ce_subject", b"\xff\xfe")]),
    "NUL in a header's name": lambda d, i: binary(b"{}", [*attributes(d, i), ("ce_\0", b"\xff")]),
    "a header's name that is no UTF-8": lambda d, i: binary(b"{}", [*attributes(d, i, type=None), (RawName("x"), b"")]),
    "NUL in the id": lambda d, i: binary(b"{}", attributes(d, i, id=f"{i}\0")),
    "NUL in the data": lambda d, i: binary(b'{"a":"\\u0000"}', attributes(d, i)),
    "half a surrogate pair": lambda d, i: binary(b'{"a":"\\ud800"}', attributes(d, i)),
    "NaN": lambda d, i: binary(b'{"a":NaN}', attributes(d, i)),
    "infinity": lambda d, i: binary(b'{"a":1e999}', attributes(d, i)),
    "deeper than we read": lambda d, i: binary(nested(80), attributes(d, i)),
    "as deep as it goes": lambda d, i: binary(b"[" * 50_000, attributes(d, i)),
    "larger than we take": lambda d, i: binary(b'"' + b"x" * MAX_EVENT_BYTES + b'"', attributes(d, i)),
    "a long id": lambda d, i: binary(b"{}", attributes(d, i, id=i + "x" * 300)),
    "a long source": lambda d, i: binary(b"{}", attributes(d, i, source="s" * 2000)),
    "huge headers": lambda d, i: binary(b"{}", attributes(d, i, extension="e" * 300_000)),
    "an extension with an underscore": lambda d, i: binary(b"{}", attributes(d, i, trace_id="1")),
    "an extension that is a list": lambda d, i: structured(d, i, extension=[1]),
    "an extension that is an object": lambda d, i: structured(d, i, extension={"a": 1}),
    "no JSON": lambda d, i: binary(b"{'a': 1}", attributes(d, i)),
    "JSON in UTF-16": lambda d, i: binary('{"a":1}'.encode("utf-16"), attributes(d, i)),
    "text that is no UTF-8": lambda d, i: binary(b"\xff\xfe\xfd", attributes(d, i), "text/plain"),
    "structured and a list": lambda d, i: structured(d, i, body=b"[]"),
    "structured and empty": lambda d, i: structured(d, i, body=b""),
    "structured and broken": lambda d, i: structured(d, i, body=b'{"specversion":"1.0","id":'),
    "an id that is a number": lambda d, i: structured(d, i, id=7),
    "a type that is null": lambda d, i: structured(d, i, type=None),
    "data twice": lambda d, i: structured(d, i, data=1, data_base64="AAEC"),
    "data_base64 that is none": lambda d, i: structured(d, i, data_base64="not base64!"),
    "a batch with one event that is none": lambda d, i: batch(json.loads(structured(d, i).value or b""), {"id": i}),
    "XML": lambda d, i: KafkaMessage(b"k", b"<e/>", (("content-type", b"application/cloudevents+xml"),)),
}
