"""What a change is, what the audit log never keeps of one, and what a chain of entries shows to whoever follows it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from controlplane.domain.audit import (
    GENESIS,
    MAX_CHANGE_BYTES,
    MAX_FIELDS,
    MAX_TEXT,
    ChainCheck,
    clean,
    difference,
    entry_digest,
    legible,
    not_in,
)
from controlplane.domain.canonical import canonical_json, digest
from schemas.views.audit import AuditEntry, Change

TOKEN = "gw_" + "a-Z_9" * 5
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def changes(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    return {field: (change.before, change.after) for field, change in difference(before, after).items()}


# --- what is kept of a text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"use {TOKEN}, please", "use gw_…, please"),
        ("gw_short", "gw_short"),
        ("s3://anna:secret@host/x and ftp://b:c@d", "s3://…@host/x and ftp://…@d"),
        ("nul \x00, half \ud800", "nul \N{REPLACEMENT CHARACTER}, half \N{REPLACEMENT CHARACTER}"),
        ("x" * (MAX_TEXT + 1), "x" * MAX_TEXT),
    ],
)
def test_a_text_is_kept_without_secrets_cut_and_storable(text: str, kept: str) -> None:
    assert legible(text) == kept


def test_a_text_may_have_another_length() -> None:
    assert legible("abcdef", 3) == "abc"


def test_every_text_within_a_value_is_cleaned_and_none_is_cut() -> None:
    long = "x" * (2 * MAX_TEXT)
    found = clean({f"k {TOKEN}": [TOKEN, (long, 1, None)], "n": {"d": "http://u:p@h"}})
    assert found == {"k gw_…": ["gw_…", [long, 1, None]], "n": {"d": "http://…@h"}}
    assert clean("http://@host") == "http://…@host"  # longer than it was


# --- what a change is -----------------------------------------------------------------------------------------------


def test_a_change_is_every_field_that_differs_at_its_dotted_path() -> None:
    before = {"a": {"b": 1, "c": 2}, "gone": "x", "same": [1, 2], "stages": [{"n": 1}, {"n": 2}]}
    after = {"a": {"b": 1, "c": 3}, "same": [1, 2], "stages": [{"n": 1}, {"n": 5}], "new": {}}
    assert changes(before, after) == {
        "a.c": (2, 3),
        "stages.1.n": (2, 5),
        "new": (None, {}),
        "gone": ("x", None),
    }
    assert list(difference(before, after)) == ["a.c", "stages.1.n", "new", "gone"]


def test_what_is_made_or_removed_changes_all_its_fields() -> None:
    document = {"a": {"b": 1}, "list": ["x", {"y": 2}]}
    assert changes(None, document) == {"a.b": (None, 1), "list.0": (None, "x"), "list.1.y": (None, 2)}
    assert changes(document, None) == {"a.b": (1, None), "list.0": ("x", None), "list.1.y": (2, None)}
    assert changes(None, None) == {}
    assert changes(document, document) == {}


def test_lists_of_plain_values_are_one_field() -> None:
    assert changes({"l": [1, 2]}, {"l": [1, 3]}) == {"l": ([1, 2], [1, 3])}


def test_a_change_holds_no_secret_on_either_side() -> None:
    assert changes({"uri": "http://u:p@h"}, {"uri": TOKEN}) == {"uri": ("http://…@h", "gw_…")}
    assert changes({}, {f"a {TOKEN}": 1}) == {"a gw_…": (None, 1)}


def test_so_many_fields_are_told_one_by_one_and_more_as_whole_documents() -> None:
    few = {"a": {f"f{number}": number for number in range(MAX_FIELDS)}}
    assert len(difference({}, few)) == MAX_FIELDS
    many = {"a": {f"f{number}": number for number in range(MAX_FIELDS + 1)}, "b": 1}
    assert changes({"b": 2}, many) == {
        "a": (None, {"digest": digest(many["a"]), "bytes": len(canonical_json(many["a"]))}),
        "b": (2, 1),
    }
    assert changes(many, None)["a"][1] is None


def test_many_bytes_are_told_as_whole_documents_too() -> None:
    def sized(characters: int) -> dict[str, Any]:
        return {"a": "x" * characters}

    beside = len(canonical_json({"a": Change(before=None, after="").model_dump(mode="json")}))
    fits = sized(MAX_CHANGE_BYTES - beside)
    assert changes({}, fits) == {"a": (None, fits["a"])}
    larger = sized(MAX_CHANGE_BYTES - beside + 1)
    assert changes({}, larger) == {"a": (None, {"digest": digest(larger["a"]), "bytes": len(larger["a"]) + 2})}


def test_short_values_stay_beside_documents_that_are_told_by_their_digest() -> None:
    many = {f"f{number}": number for number in range(MAX_FIELDS)}
    at_most, longer = "x" * (MAX_TEXT - 2), "x" * (MAX_TEXT - 1)
    found = changes({}, {**many, "at most": at_most, "longer": longer})
    assert found["at most"] == (None, at_most)
    assert found["longer"] == (None, {"digest": digest(longer), "bytes": MAX_TEXT + 1})


# --- the chain ------------------------------------------------------------------------------------------------------


def chain(length: int) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    for seq in range(1, length + 1):
        entry = AuditEntry.model_validate(
            {
                "seq": seq,
                "at": NOON + timedelta(seconds=seq),
                "actor": "anna",
                "role": "operator",
                "correlationid": "c",
                "action": "policy.set",
                "outcome": "done",
                "subject": "deployment/reviews",
                "previous": entries[-1].digest if entries else GENESIS,
                "digest": GENESIS,
                "id": UUID(int=seq),
            }
        )
        entries.append(entry.model_copy(update={"digest": entry_digest(entry)}))
    return entries


def follow(entries: Sequence[AuditEntry], told: Sequence[AuditEntry] | None = None) -> ChainCheck:
    check = ChainCheck({entry.seq: entry.digest for entry in (entries if told is None else told)})
    for entry in entries:
        check.add(entry)
    return check


def test_a_whole_chain_has_no_fault_and_its_head_is_the_newest_digest() -> None:
    entries = chain(4)
    check = follow(entries)
    assert (check.finish(), check.entries, check.head) == ([], 4, entries[-1].digest)
    nothing = follow([])
    assert (nothing.finish(), nothing.entries, nothing.head) == ([], 0, GENESIS)
    assert follow(entries, told=[]).finish() == []  # before the event log told of any


def test_an_entry_that_was_changed_is_not_what_its_digest_was_made_of() -> None:
    entries = chain(3)
    entries[1] = entries[1].model_copy(update={"actor": "eve"})
    assert follow(entries, chain(3)).finish() == ["entry 2 is not what its digest was made of"]


def test_an_entry_that_was_made_again_whole_is_seen_by_its_successor_and_by_the_event_log() -> None:
    entries = chain(3)
    forged = entries[1].model_copy(update={"actor": "eve"})
    entries[1] = forged.model_copy(update={"digest": entry_digest(forged)})
    assert follow(entries, chain(3)).finish() == [
        "entry 2 has another digest than the event log tells of",
        "entry 3 does not follow entry 2: its previous digest differs",
    ]


def test_an_entry_that_was_taken_out_leaves_a_gap() -> None:
    entries = chain(4)
    assert follow(entries[:1] + entries[3:], entries).finish() == ["entries are missing between 1 and 4"]
    assert follow(entries[1:], entries).finish() == ["entries are missing between 0 and 2"]


def test_newest_entries_that_were_taken_off_are_known_to_the_event_log() -> None:
    entries = chain(3)
    assert follow(entries[:2], entries).finish() == [
        "the event log tells of entry 3, and the audit log ends with 2",
    ]
    assert follow([], entries).finish() == ["the event log tells of entry 3, and the audit log ends with 0"]


def test_the_digest_is_over_every_field_but_itself() -> None:
    [entry] = chain(1)
    assert entry_digest(entry.model_copy(update={"digest": "sha256:" + "f" * 64})) == entry.digest
    for field, value in {"actor": "eve", "at": NOON, "reason": "because", "previous": "sha256:" + "1" * 64}.items():
        assert entry_digest(entry.model_copy(update={field: value})) != entry.digest, field


def test_a_field_that_the_log_gets_later_changes_no_digest_of_before() -> None:
    [entry] = chain(1)
    said = entry.model_dump(mode="json", exclude={"digest"})
    assert entry.detail is None
    assert entry_digest(entry) == digest(
        {field: value for field, value in said.items() if field in entry.model_fields_set}
    )


def test_an_export_that_the_log_holds_has_no_fault_however_far_the_log_goes_on() -> None:
    entries = chain(4)
    assert not_in(follow(entries), follow(entries)) == []
    assert not_in(follow(entries), follow(entries[:2])) == []
    assert not_in(follow(entries), follow([])) == []


def test_what_an_export_holds_in_another_way_than_the_log_is_told_entry_by_entry() -> None:
    entries = chain(4)
    changed = entries[1].model_copy(update={"digest": "sha256:" + "e" * 64})
    assert not_in(follow(entries[:3]), follow([entries[0], changed, *entries[2:]])) == [
        "entry 2 of the file has another digest in the log",
        "entry 4 of the file is not in the log",
    ]
