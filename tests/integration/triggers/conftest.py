"""A pipeline that triggers can start."""

import pytest

from controlplane.store.database import Database
from tests.support.answers import ok
from tests.support.triggers import PIPELINE
from tests.support.worlds.in_process import InProcess


@pytest.fixture
def site(database: Database) -> InProcess:
    site = InProcess(database)
    ok(site.client("operator").put("/v1/pipelines/nightly", json=PIPELINE))
    return site
