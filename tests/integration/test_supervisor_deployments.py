"""What `graftwork up` gives a gateway to."""

from controlplane.cli.processes.supervisor import Supervisor
from controlplane.settings import Settings
from controlplane.store.database import Database
from tests.support.worlds.in_process import InProcess


def test_every_deployment_is_seen_beyond_the_first_page_of_the_api(sqlite_database: Database) -> None:
    names = [f"d{number:03}" for number in range(60)]
    client = InProcess(sqlite_database).client("releaser")
    for name in names:
        assert client.put(f"/v1/deployments/{name}", json={"model": name, "policy": {}}).is_success
    assert Supervisor(Settings(), sqlite_database, print).deployments() == names
