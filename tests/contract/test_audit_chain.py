"""Nobody changes the audit log unseen, whatever happens at once, and no secret is kept in it."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlmodel import col, delete, update

from controlplane.api.auditing import RefusalPace
from controlplane.domain.audit import ChainCheck, entry_digest
from controlplane.store.audit_chain import to_entry
from controlplane.store.audit_tables import AuditEntryRow
from controlplane.store.database import Database
from schemas.facts import AuditRecorded
from schemas.views.audit import AuditEntry
from tests.contract.audited import PIPELINE, WORD, newest
from tests.support.answers import ok
from tests.support.worlds.in_process import InProcess


def faults(site: InProcess) -> list[str]:
    """As `graftwork audit verify` finds them."""
    auditor = site.client("auditor")
    items = ok(auditor.get("/v1/audit", params={"order": "oldest", "limit": 200}))["items"]
    facts = ok(auditor.get("/v1/events", params={"after": 0, "type": AuditRecorded.TYPE}))["items"]
    check = ChainCheck({fact["data"]["seq"]: fact["data"]["digest"] for fact in facts})
    for item in items:
        check.add(AuditEntry.model_validate(item))
    assert len(items) == len(facts) > 2
    return check.finish()


def three_entries(database: Database) -> InProcess:
    site = InProcess(database)
    for name in ("a", "b", "c"):
        assert site.client("admin").post("/v1/tokens", json={"name": name, "role": "viewer"}).status_code == 201
    assert faults(site) == []
    return site


@pytest.mark.parametrize("column", ["actor", "detail", "changes", "subject", "reason"])
def test_an_entry_that_was_changed_is_found(database: Database, column: str) -> None:
    site = three_entries(database)
    with database.begin("insider") as uow:
        value = "{}" if column == "changes" else "another"
        uow.execute(update(AuditEntryRow).where(col(AuditEntryRow.seq) == 2).values({column: value}))
    assert faults(site) == ["entry 2 is not what its digest was made of"]


def test_an_entry_that_was_changed_with_its_digest_is_found_by_the_next_one_and_by_the_facts(
    database: Database,
) -> None:
    site = three_entries(database)
    with database.begin("insider") as uow:
        row = uow.session.get(AuditEntryRow, 2)
        assert row is not None
        row.actor = "somebody else"
        row.digest = entry_digest(to_entry(row))
    assert faults(site) == [
        "entry 2 has another digest than the event log tells of",
        "entry 3 does not follow entry 2: its previous digest differs",
    ]


@pytest.mark.parametrize(
    ("seq", "fault"),
    [
        (1, "entries are missing between 0 and 2"),
        (2, "entries are missing between 1 and 3"),
        (3, "the event log tells of entry 3, and the audit log ends with 2"),
    ],
)
def test_an_entry_that_was_taken_out_is_found(database: Database, seq: int, fault: str) -> None:
    site = three_entries(database)
    with database.begin("insider") as uow:
        uow.execute(delete(AuditEntryRow).where(col(AuditEntryRow.seq) == seq))
    auditor = site.client("auditor")
    items = ok(auditor.get("/v1/audit", params={"order": "oldest"}))["items"]
    facts = ok(auditor.get("/v1/events", params={"after": 0, "type": AuditRecorded.TYPE}))["items"]
    check = ChainCheck({fact["data"]["seq"]: fact["data"]["digest"] for fact in facts})
    for item in items:
        check.add(AuditEntry.model_validate(item))
    assert check.finish() == [fault]


def test_many_at_once_make_one_chain_without_a_gap(database: Database) -> None:
    site = InProcess(database)
    with ThreadPoolExecutor(8) as pool:
        body = {"name": "ci", "role": "viewer"}
        answers = list(pool.map(lambda _: site.client("admin").post("/v1/tokens", json=body).status_code, range(40)))
    assert answers == [201] * 40
    assert faults(site) == []
    assert newest(site)["seq"] == 40


def test_a_change_that_fails_leaves_no_entry_of_it_and_a_retry_no_second_one(sqlite_database: Database) -> None:
    site = InProcess(sqlite_database)
    headers = {"idempotency-key": "once"}
    for _ in range(2):
        ok(site.client("operator").put("/v1/pipelines/rows", json=PIPELINE, headers=headers))
    assert newest(site)["seq"] == 1
    refused = site.client("releaser").post("/v1/deployments/nobody:rollback", json=WORD)
    assert refused.status_code == 404
    assert [newest(site)["outcome"], newest(site)["seq"]] == ["refused", 2]


def test_secrets_in_a_reason_or_a_name_are_not_kept(sqlite_database: Database) -> None:
    site = InProcess(sqlite_database)
    token = ok(site.client("admin").post("/v1/tokens", json={"name": "ci", "role": "viewer"}))["token"]
    told = {"reason": f"with {token} at https://me:hunter2@example.com"}
    for role in ("viewer", "releaser"):
        site.client(role).post(f"/v1/deployments/{token}:rollback", json=told)
    kept = json.dumps(ok(site.client("auditor").get("/v1/audit"))["items"])
    assert token not in kept
    assert "hunter2" not in kept


def test_refusals_beyond_the_pace_are_counted_in_the_next_entry() -> None:
    pace = RefusalPace(per_minute=2)
    assert [pace.admit("eve", now) for now in (0, 1, 2, 3)] == [0, 0, None, None]
    assert pace.admit("another", 3) == 0
    assert [pace.admit("eve", now) for now in (61, 62)] == [2, 0]
