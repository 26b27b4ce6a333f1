"""What the API tells of itself at `/openapi.json`, judged by the specification's own validator."""

from controlplane.store.database import Database
from tests.support import openapi
from tests.support.worlds.in_process import InProcess


def test_the_api_publishes_a_valid_document(sqlite_database: Database) -> None:
    document = InProcess(sqlite_database).client(None).get("/openapi.json").json()
    assert openapi.faults(document) == []
    del document["paths"]["/v1/jobs"]["get"]["responses"]["200"]["description"]
    assert len(openapi.faults(document)) == 1  # the validator looks that far
