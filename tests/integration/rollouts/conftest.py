"""A deployment to roll out on."""

import pytest

from controlplane.store.database import Database
from tests.support.releases import Site


@pytest.fixture
def site(database: Database) -> Site:
    site = Site(database)
    site.deploy()
    return site
