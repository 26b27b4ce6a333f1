"""An id may be written by its beginning, wherever a path or a line takes one."""

from uuid import UUID

import pytest

from controlplane.api import identities
from controlplane.errors import Invalid, NotFound
from controlplane.projections.identities import identify
from controlplane.store.database import Database
from controlplane.store.spine_tables import TokenRow
from tests.support.builders.specs import CURATE
from tests.support.operations import operations
from tests.support.worlds.in_process import InProcess

IDS = [UUID("3f2a0000-0000-4000-8000-000000000001"), UUID("3f2affff-0000-4000-8000-000000000002"),
       UUID("aaaa0000-0000-4000-8000-000000000003")]  # fmt: skip


@pytest.fixture
def named(database: Database) -> Database:
    with database.begin("test") as uow:
        for number, identity in enumerate(IDS):
            uow.session.add(TokenRow(id=identity, name=f"t{number}", role="viewer", hash=f"{number}" * 64,
                                     created_at=uow.now(), created_by="test"))  # fmt: skip
    return database


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("aaaa", IDS[2]),
        ("AAAA0000-00", IDS[2]),
        ("3f2a0", IDS[0]),
        ("3f2affff", IDS[1]),
        (str(IDS[1]), IDS[1]),
        (IDS[1].hex, IDS[1]),
        ("00000000-0000-0000-0000-000000000000", UUID(int=0)),
    ],
)
def test_a_beginning_that_one_row_alone_has_is_its_id(named: Database, text: str, found: UUID) -> None:
    with named.read() as session:
        assert identify(session, TokenRow, "token", text) == found


def test_an_ambiguous_beginning_lists_the_candidates(named: Database) -> None:
    with named.read() as session, pytest.raises(Invalid) as caught:
        identify(session, TokenRow, "token", "3f2a")
    assert str(IDS[0]) in caught.value.detail
    assert str(IDS[1]) in caught.value.detail
    assert str(IDS[2]) not in caught.value.detail


@pytest.mark.parametrize("text", ["3f2", "", "xyz1", "3f2a%", "3f2a_", "no-id", "3f2a" * 9])
def test_what_is_no_beginning_is_refused_with_what_was_expected(named: Database, text: str) -> None:
    with named.read() as session, pytest.raises(Invalid, match=r"is no token id: expected 32 hex.* their first 4"):
        identify(session, TokenRow, "token", text)


def test_a_beginning_that_nothing_has_is_not_found(named: Database) -> None:
    with named.read() as session, pytest.raises(NotFound, match="begins with 'bbbb'"):
        identify(session, TokenRow, "token", "bbbb")


def test_every_id_in_a_path_may_be_a_beginning(sqlite_database: Database) -> None:
    """But those that programs write: a worker and a gateway have the whole id."""
    programs = (":heartbeat", ":complete", ":fail", ":release")
    paths = {
        name: schema
        for one in operations(InProcess(sqlite_database).app)
        if not one.path.endswith(programs)
        for schema in one.document.get("parameters", [])
        if (name := schema["name"]).endswith("_id") and schema["in"] == "path"
    }
    assert set(paths) == {"job_id", "run_id", "rollout_id", "decision_id", "letter_id", "token_id"}
    assert all("or its beginning" in schema["description"] for schema in paths.values())
    assert identities.JobId


def test_a_job_is_read_and_cancelled_by_its_beginning(sqlite_database: Database) -> None:
    site = InProcess(sqlite_database)
    made = site.client("operator").post("/v1/jobs", json={"kind": "curate", "spec": CURATE}).json()["id"]
    assert site.client("viewer").get(f"/v1/jobs/{made[:8]}").json()["id"] == made
    assert site.client("operator").post(f"/v1/jobs/{made[:8]}:cancel").json()["phase"] == "Cancelled"
    answer = site.client("viewer").get("/v1/jobs/zzzz")
    assert (answer.status_code, answer.json()["field"]) == (422, "job")
    assert answer.json()["detail"].startswith("'zzzz' is no job id: expected 32 hexadecimal digits")


def test_a_stranger_does_not_learn_which_ids_there_are(sqlite_database: Database) -> None:
    site = InProcess(sqlite_database)
    client = site.client("operator")
    made = client.post("/v1/jobs", json={"kind": "curate", "spec": CURATE}).json()["id"]
    client.headers.pop("Authorization")
    assert {client.get(f"/v1/jobs/{text}").status_code for text in (made[:8], "bbbb", "x")} == {401}
