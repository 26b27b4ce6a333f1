"""Planted on topics and between two looks; and what is no violation."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from controlplane.commands.spine.cursors import FACTS
from controlplane.store.database import Database
from controlplane.store.spine_tables import (
    CursorRow,
    EventRow,
    LeaseRow,
)
from controlplane.store.tables import (
    ModelVersionRow,
)
from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.tests.audited import SOURCE, AuditedWorld, audited
from tests.trials.chaos.tests.plants import Plant, first, found_by, job, now


def of_one_job(site: AuditedWorld) -> list[int]:
    """Where the records of one job are on the board: requested, started, succeeded."""
    key = f"job/{job(site).id}"
    return [place for place, one in enumerate(site.board.records) if one.key == key]


def two_records_are_swapped(site: AuditedWorld) -> None:
    one, two, _ = of_one_job(site)
    records = site.board.records
    records[one], records[two] = records[two], records[one]


def record_is_missing(site: AuditedWorld) -> None:
    del site.board.records[4]


def record_of_no_fact(site: AuditedWorld) -> None:
    headers = {**site.board.records[0].headers, "ce_id": str(uuid4())}
    site.board.records.append(replace(site.board.records[0], headers=headers))


def record_says_other_data(site: AuditedWorld) -> None:
    site.board.records[2] = replace(site.board.records[2], value=b"{}")


def record_has_another_envelope(site: AuditedWorld) -> None:
    site.board.records[2] = replace(site.board.records[2], key="job/another")


def token_in_a_records_header(site: AuditedWorld) -> None:
    site.expected.secrets.add(site.admin_token)
    record = site.board.records[2]
    site.board.records[2] = replace(record, headers={**record.headers, "authorization": f"Bearer {site.admin_token}"})


def token_in_a_records_key(site: AuditedWorld) -> None:
    site.expected.secrets.add(site.admin_token)
    site.board.records[2] = replace(site.board.records[2], key=f"token/{site.admin_token}")


def key_is_in_two_partitions(site: AuditedWorld) -> None:
    place = of_one_job(site)[1]
    site.board.records[place] = replace(site.board.records[place], partition=3)


def repeat_without_a_reason(site: AuditedWorld) -> None:
    site.expected.relay_disturbed = False
    site.board.records.append(site.board.records[1])


TOPIC_PLANTS: dict[Plant, str] = {
    token_in_a_records_header: "a token or a row's text is in record",
    token_in_a_records_key: "a token or a row's text is in record",
    two_records_are_swapped: "after its fact 0",
    record_is_missing: "is in the log and on no topic",
    record_of_no_fact: "is not in the log",
    record_says_other_data: "says other data",
    record_has_another_envelope: "says another envelope",
    key_is_in_two_partitions: "is in two partitions",
    repeat_without_a_reason: "though nothing disturbed the relay",
}


@pytest.mark.parametrize("plant", list(TOPIC_PLANTS), ids=lambda plant: plant.__name__)
def test_what_was_planted_on_a_topic_is_found(plant: Plant, told: AuditedWorld) -> None:
    plant(told)
    found_by(told.look, TOPIC_PLANTS[plant])


def test_the_untouched_site_is_good(told: AuditedWorld) -> None:
    assert told.look() == []


def test_topics_may_repeat_what_they_have_said_when_the_relay_was_killed(told: AuditedWorld) -> None:
    """A batch again from any place, and a stale record in between; later looks go on where they were."""
    records = told.board.records
    records[3:3] = records[1:3]
    records.append(records[2])
    assert told.look() == []
    told.arrive("2")
    told.react()
    told.relay()
    assert told.look() == []


def test_a_fact_that_goes_after_it_was_read_is_missed(site: AuditedWorld) -> None:
    assert site.look() == []
    site.remove(EventRow, EventRow.seq == 3)
    found_by(site.look, "facts up to seq")


def test_a_fact_that_commits_below_a_reader_is_seen(site: AuditedWorld) -> None:
    row = first(site, EventRow, EventRow.seq == 4)
    site.remove(EventRow, EventRow.seq == 4)
    site.look()
    site.add(EventRow(**row.model_dump()))
    found_by(site.look, "facts up to seq")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"fence": 1}, "its fence went back"),
        ({"owner": "another"}, "were both given fence 7"),
        ({"until": timedelta(days=900)}, "long after now"),
    ],
)
def test_a_named_lease_is_one_owners(values: dict[str, Any], said: str, site: AuditedWorld) -> None:
    site.add(LeaseRow(name="relay", owner="one", fence=7, until=now(site)))
    assert site.look() == []
    if "until" in values:
        values = {"until": now(site) + values["until"]}
    site.change(LeaseRow, LeaseRow.name == "relay", **values)
    found_by(site.look, said)


def test_a_lease_may_be_given_back_and_taken_again(site: AuditedWorld) -> None:
    site.add(LeaseRow(name="relay", owner="one", fence=7, until=now(site)))
    assert site.look() == []
    site.change(LeaseRow, LeaseRow.name == "relay", owner="")
    assert site.look() == []
    site.change(LeaseRow, LeaseRow.name == "relay", owner="two", fence=8)
    assert site.look() == []


def test_a_cursor_never_goes_back_and_moves_under_a_fence_that_was_given(site: AuditedWorld) -> None:
    assert site.look() == []
    site.change(CursorRow, CursorRow.name == FACTS, seq=1)
    found_by(site.look, "it went back")
    site.change(CursorRow, CursorRow.name == FACTS, fence=99)
    found_by(site.look, "which nobody was given")


def test_what_still_goes_on_is_named(site: AuditedWorld) -> None:
    assert site.auditor.pending(site.expected) == []
    job_id = site.request()
    site.expected.events.add((SOURCE, "late"))
    pending = site.auditor.pending(site.expected)
    assert f"curate job {job_id} is Pending" in pending
    assert f"event {SOURCE} late has not been received" in pending
    assert any("reactions.facts is at fact" in one for one in pending)


def test_an_api_that_says_otherwise_than_the_database_is_found(folder: Path, opened: Database, tmp_path: Path) -> None:
    """It answers from a copy that has not heard of the last move."""
    shutil.copy(folder / "graftwork.db", tmp_path / "old.db")
    old = Database(f"sqlite:///{tmp_path / 'old.db'}")
    with audited(opened, folder / "artifacts") as site, audited(old, folder / "artifacts") as stale:
        site.point("challenger", first(site, ModelVersionRow).id)
        stale.expected.moves = site.expected.moves
        auditor = Auditor(replace_url(site, stale.api_url, stale.admin_token))
        found = auditor.look(site.expected)
        auditor.close()
    old.close()
    assert any("the API says" in said for said in found)


def replace_url(site: AuditedWorld, url: str, token: str) -> AuditedWorld:
    site.api_url, site.admin_token = url, token
    return site
