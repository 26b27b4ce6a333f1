"""What a stranger's message holds, whatever protocol brought it: an event in binary or structured mode, or a batch.

Specification: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

import base64
import codecs
import json
import re
from collections.abc import Iterable, Mapping
from email.message import Message
from typing import Any, Final

from schemas.cloudevent import MAX_EVENT_BYTES
from schemas.faults import kind_of
from schemas.repeated_keys import JsonObject, json_object

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
MAX_BATCH_EVENTS: Final = 1000
"""In one batch of other people's events."""
CHARSETS: Final = ("utf-8", "us-ascii", "iso-8859-1", "windows-1252", "utf-16", "utf-16le", "utf-16be")
"""The character sets that a content type of text or JSON may name."""
JSON_MEDIA: Final = re.compile(r"^[a-z0-9.+-]+/([a-z0-9.+-]+\+)?json$")
TEXT_MEDIA: Final = re.compile(
    r"^(text/.+|application/(xml|yaml|x-yaml|x-ndjson|x-www-form-urlencoded)|[a-z0-9.+-]+/[a-z0-9.+-]+\+(xml|yaml))$"
)
MAX_DIGITS: Final = 1000
"""Digits of an integer that is refused as too large by its place; one with more is refused unread, without it."""
Fields = dict[str, Any]


class UnreadableEvent(ValueError):
    """A message that is no CloudEvent: every problem found in it, not only the first."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def media_type(content_type: str | None) -> str:
    """Without its parameters, in lower case; empty: none was given."""
    return (content_type or "").partition(";")[0].strip().lower()


def is_batch(content_type: str | None) -> bool:
    return media_type(content_type) == BATCH


def is_text(content_type: str) -> bool:
    return TEXT_MEDIA.match(media_type(content_type)) is not None


def event_fields(attributes: Mapping[str, str], content_type: str | None, body: bytes | None) -> Fields:
    """One event's members, unchecked: binary mode's attributes without their prefix, or a structured body.

    Raises ValueError in words.
    """
    if body is not None and len(body) > MAX_EVENT_BYTES:
        raise ValueError(f"value: {len(body)} bytes, at most {MAX_EVENT_BYTES} are accepted")
    media = media_type(content_type)
    if media == STRUCTURED:
        return structured_fields(_json(body or b"", content_type))
    if media.startswith("application/cloudevents"):
        expected = f"expected {STRUCTURED}, {BATCH} or the data's own type"
        raise ValueError(f"content-type: {expected}, got {content_type!r}")
    return _binary_fields(attributes, content_type, body)


def structured_fields(document: Any) -> Fields:
    """An event in JSON. Null is absent, and bytes in base64 are read as their content type says."""
    if not isinstance(document, dict):
        raise ValueError(f"value: expected a JSON object with the event's attributes, got {kind_of(document)}")
    if isinstance(document, JsonObject) and document.repeated:
        raise ValueError(f"{document.repeated[0]}: given twice, with different values")
    fields = {name: value for name, value in document.items() if value is not None}
    encoding = fields.pop("datacontentencoding", None)
    _refuse_unknown_encoding(encoding)
    if encoding and isinstance(fields.get("data"), str):
        fields["data_base64"] = fields.pop("data")
    if "data" in fields and "data_base64" in fields:
        raise ValueError("value: both data and data_base64 are given, expected one")
    if "data_base64" not in fields:
        return fields
    body = _bytes_of(fields.pop("data_base64"))
    content_type = fields.get("datacontenttype")
    if content_type is not None and not isinstance(content_type, str):
        return fields  # refused as what it is
    return {**fields, **data_fields(content_type, body, untyped_is_json=False)}


def batch_documents(content_type: str | None, body: bytes | None) -> list[Any]:
    """The events of a batch, each unchecked. Raises ValueError in words."""
    documents = _json(body or b"", content_type)
    if not isinstance(documents, list):
        raise ValueError(f"value: expected a JSON array of events, got {kind_of(documents)}")
    if len(documents) > MAX_BATCH_EVENTS:
        raise ValueError(f"value: {len(documents)} events, at most {MAX_BATCH_EVENTS} are accepted in one batch")
    return documents


def data_fields(content_type: str | None, body: bytes | None, *, untyped_is_json: bool = True) -> Fields:
    """`data`, or `data_base64` for bytes that are neither JSON nor text; no body is no data."""
    fields: Fields = {} if content_type is None else {"datacontenttype": content_type}
    if not body:
        return fields
    media = media_type(content_type)
    if JSON_MEDIA.match(media) or (not media and untyped_is_json):
        return {**fields, "data": _json(body, content_type, "data")}
    if TEXT_MEDIA.match(media):
        return {**fields, "data": _text(body, content_type, "data")}
    return {**fields, "data_base64": base64.b64encode(body).decode()}


def _binary_fields(attributes: Mapping[str, str], content_type: str | None, body: bytes | None) -> Fields:
    fields = dict(attributes)
    if given := sorted({"data", "data_base64"} & fields.keys()):
        raise ValueError(f"attribute {given[0]}: in binary mode the data is the body, expected no such attribute")
    encoding = fields.pop("datacontentencoding", None)
    _refuse_unknown_encoding(encoding)
    if encoding and body:
        body = _bytes_of(_text(body, None, "data"))
    return {**fields, **data_fields(content_type, body)}


def _refuse_unknown_encoding(encoding: object) -> None:
    if encoding not in (None, "base64"):
        raise ValueError(f"datacontentencoding: expected base64 or none, got {encoding!r}")


def _bytes_of(encoded: object) -> bytes:
    try:
        if isinstance(encoded, str):
            return base64.b64decode(encoded, validate=True)
    except ValueError:
        pass
    raise ValueError(f"data_base64: expected a string of base64, got {str(encoded)[:32]!r}")


def _text(body: bytes, content_type: str | None, where: str, what: str = "") -> str:
    name = charset = _charset(content_type)
    if codecs.lookup(name).name == "utf-8":
        charset = "utf-8-sig"  # a byte order mark is no character of the data
    try:
        return body.decode(charset)
    except UnicodeDecodeError as error:
        reason = f"{error.reason} at byte {error.start}"
        raise ValueError(f"{where}: expected {what}{name.upper()}, {reason}") from error


def _charset(content_type: str | None) -> str:
    header = Message()
    header["content-type"] = (content_type or "").replace("\r", " ").replace("\n", " ")
    charset = header.get_content_charset() or "utf-8"
    try:
        known = {codecs.lookup(name).name for name in CHARSETS}
        if codecs.lookup(charset).name in known:
            return charset
    except LookupError:
        pass
    raise ValueError(f"content-type: expected a charset of {', '.join(CHARSETS)}, got {charset!r}")


def _json(body: bytes, content_type: str | None, where: str = "value") -> Any:
    text = _text(body, content_type, where, "JSON in ")
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"{where}: JSON nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{where}: expected JSON, {error}") from error


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits, beyond 64 bits")
    return int(digits)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=json_object, parse_int=_integer)
