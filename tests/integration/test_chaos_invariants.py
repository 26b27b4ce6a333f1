"""The auditor finds nothing wrong with a good history, and each thing that is planted into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controlplane.store.database import Database
from tests.support.audited_site import AuditedSite, audited


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[AuditedSite]:
    with audited(database, tmp_path) as one:
        yield one


def test_nothing_is_wrong_with_a_good_history(site: AuditedSite) -> None:
    site.curate()
    site.train()
    assert site.look() == []
    site.curate("second")
    assert site.look() == []
