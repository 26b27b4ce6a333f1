"""The audit log's rules: what a change is, what is never kept of one, and how entries are chained."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from controlplane.domain.canonical import canonical_json, digest
from controlplane.domain.document import UNSTORABLE
from schemas.faults import CREDENTIALS
from schemas.views.audit import AuditEntry, Change

GENESIS: Final = "sha256:" + 64 * "0"
"""What the first entry names as the one before it."""
MAX_TEXT: Final = 500
"""Characters of a reason, a detail or a requested value in the audit log; the rest is cut."""
MAX_FIELDS: Final = 100
"""Changed fields of one audit entry; with more, or more bytes, whole documents stand there by their digest."""
MAX_CHANGE_BYTES: Final = 32 * 1024
"""Bytes of all changes of one audit entry as JSON; with more, whole documents stand there by their digest."""
TOKEN: Final = re.compile(r"gw_[\w-]{16,}")


def legible(text: str, length: int | None = MAX_TEXT) -> str:
    """Text as it may be kept: without what looks like a token or a password, cut (None: whole), and storable."""
    text = CREDENTIALS.sub("://…@", TOKEN.sub("gw_…", text))
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text[:length])


def clean(value: Any) -> Any:
    """The same for every text within a JSON value, which is not cut."""
    if isinstance(value, str):
        return legible(value, None)
    if isinstance(value, Mapping):
        return {clean(key): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Change]:
    """Every field that is not the same, at its dotted path; whole documents by their digest when there are many."""
    fine = _changes(dict(_leaves(before or {})), dict(_leaves(after or {})))
    if len(fine) <= MAX_FIELDS and _size(fine) <= MAX_CHANGE_BYTES:
        return fine
    return {
        field: Change(before=_in_short(change.before), after=_in_short(change.after))
        for field, change in _changes(before or {}, after or {}).items()
    }


def entry_digest(entry: AuditEntry) -> str:
    """The digest of an audit entry without the digest itself. Fields at their default are left out, so that a field
    that the log gets later does not change what older entries say."""
    return digest(entry.model_dump(mode="json", exclude={"digest"}, exclude_defaults=True))


class ChainCheck:
    """Follows the chain from its first entry on (the log is never pruned), and collects what does not fit.

    `told` is what the event log says: the digest of each entry by its seq, as it was when the entry was made.
    """

    def __init__(self, told: Mapping[int, str]) -> None:
        self.faults: list[str] = []
        self._told = told
        self.entries = 0
        self.digests: dict[int, str] = {}
        """The digest of each entry that was followed, by its seq."""
        self._last: AuditEntry | None = None

    def add(self, entry: AuditEntry) -> None:
        if entry_digest(entry) != entry.digest:
            self.faults.append(f"entry {entry.seq} is not what its digest was made of")
        elif self._told.get(entry.seq, entry.digest) != entry.digest:
            self.faults.append(f"entry {entry.seq} has another digest than the event log tells of")
        self._follow(entry)
        self._last = entry
        self.digests[entry.seq] = entry.digest
        self.entries += 1

    def finish(self) -> list[str]:
        """All faults, once the newest entry was added."""
        last = self._last.seq if self._last else 0
        if (newest := max(self._told, default=0)) > last:
            self.faults.append(f"the event log tells of entry {newest}, and the audit log ends with {last}")
        return self.faults

    @property
    def last(self) -> AuditEntry | None:
        """As far as the chain was followed: it cannot show by itself that something came after."""
        return self._last

    @property
    def head(self) -> str:
        """The newest entry's digest: whoever keeps it elsewhere can tell later that nothing before was changed."""
        return self._last.digest if self._last else GENESIS

    def _follow(self, entry: AuditEntry) -> None:
        before = self._last.seq if self._last else 0
        if entry.seq != before + 1:
            self.faults.append(f"entries are missing between {before} and {entry.seq}")
        elif entry.previous != self.head:
            self.faults.append(f"entry {entry.seq} does not follow entry {before}: its previous digest differs")


def not_in(log: ChainCheck, export: ChainCheck) -> list[str]:
    """What an export holds in another way than the log itself. That the log goes on after it is no fault."""
    return [
        f"entry {seq} of the file has another digest in the log"
        if seq in log.digests
        else f"entry {seq} of the file is not in the log"
        for seq, digest_kept in export.digests.items()
        if log.digests.get(seq) != digest_kept
    ]


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        yield from _of(item, f"{path}{key}")


def _of(item: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(item, Mapping) and item:
        yield from _leaves(item, f"{path}.")
    elif isinstance(item, list) and any(isinstance(one, Mapping) for one in item):
        yield from _leaves({str(place): one for place, one in enumerate(item)}, f"{path}.")
    else:
        yield path, item


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    fields = [*after, *(field for field in before if field not in after)]
    return {
        str(clean(field)): Change(before=clean(before.get(field)), after=clean(after.get(field)))
        for field in fields
        if before.get(field) != after.get(field)
    }


def _size(changes: Mapping[str, Change]) -> int:
    return len(canonical_json({field: change.model_dump(mode="json") for field, change in changes.items()}))


def _in_short(value: Any) -> Any:
    body = canonical_json(value)
    return value if len(body) <= MAX_TEXT else {"digest": digest(value), "bytes": len(body)}
