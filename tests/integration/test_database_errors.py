"""What the database says when it refuses goes to logs and dead letters: no row's content does."""

from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from controlplane.store.database import Database
from controlplane.store.tables import JobLogRow

ROW = "a row that is nobody's business"


def test_an_error_quotes_no_row(database: Database) -> None:
    with pytest.raises(DBAPIError, match="job_log") as refused, database.begin("test") as uow:
        uow.session.add(JobLogRow(job_id=uuid4(), attempt=1, at=uow.now(), line=ROW))  # of no job
    assert ROW not in str(refused.value)
