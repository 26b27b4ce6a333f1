"""What makes a record a row of text and label: its columns are there, and each has a value that can be one."""

from schemas.jobs.curate import Source
from schemas.labels import NotALabel, canonical_label
from workers.curate.rows import Reason, Record, Reject, character_fault, digest_of
from workers.data.normalize import normalize
from workers.data.rows import Place, Row


def row_of(record: Record, source: Source, index: int) -> Row | Reject:
    """`index`: of the source in the spec. The first fault that is found is the reason."""
    place = Place(index, record.line)
    value = record.fields.get(source.text)
    text = value.strip() if isinstance(value, str) else ""
    reason = _missing(record, source) or _text_fault(value, text)
    if reason is None:
        label, reason = _name(record.fields[source.label], "empty_label")
        group, group_reason = _group(record, source)
        if (reason := reason or group_reason) is None and label is not None:
            return Row(text, label, group, normalize(text), place)
    return Reject(place, None, reason or "malformed", digest_of(value if isinstance(value, str) else b""))


def _missing(record: Record, source: Source) -> Reason | None:
    needed: list[tuple[str, Reason]] = [(source.text, "empty_text"), (source.label, "empty_label")]
    if source.group:
        needed.append((source.group, "empty_group"))
    if any(column not in record.fields for column, _ in needed):
        return "missing_column"
    return next((reason for column, reason in needed if record.fields[column] is None), None)


def _text_fault(value: object, text: str) -> Reason | None:
    if not isinstance(value, str):
        return "not_text"
    return character_fault(value) or (None if text else "empty_text")


def _group(record: Record, source: Source) -> tuple[str | None, Reason | None]:
    return (None, None) if source.group is None else _name(record.fields[source.group], "empty_group")


def _name(value: object, empty: Reason) -> tuple[str | None, Reason | None]:
    """A label or a group in its one form, or why there is none."""
    try:
        name = canonical_label(value)
    except NotALabel as error:
        return None, error.fault
    return name, None if name is not None else empty
