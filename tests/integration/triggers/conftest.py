"""A pipeline that triggers can start."""

import pytest

from controlplane.store.database import Database
from tests.support.releases import Site, ok
from tests.support.triggers import PIPELINE


@pytest.fixture
def site(database: Database) -> Site:
    site = Site(database)
    ok(site.client("operator").put("/v1/pipelines/nightly", json=PIPELINE))
    return site
