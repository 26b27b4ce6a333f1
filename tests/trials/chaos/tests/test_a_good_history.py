"""The auditor finds nothing wrong with a good history, whatever database it is on."""

from contextlib import closing
from pathlib import Path

from controlplane.store.database import Database
from tests.trials.chaos.invariants.auditor import Auditor
from tests.trials.chaos.tests.audited import audited


def test_nothing_is_wrong_with_a_good_history(database: Database, tmp_path: Path) -> None:
    with audited(database, tmp_path / "artifacts") as site:
        site.live()
        assert site.auditor.pending(site.expected) == []
        assert site.look() == []
        site.arrive("2")
        site.react()
        assert site.glance() == []
        assert site.look() == []
        with closing(Auditor(site)) as newcomer:
            assert newcomer.look(site.expected) == []
