"""What every route of the API has in common: tokens, limits, problems, health."""

import json
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlmodel import col, select

from controlplane.api.app import create_app
from controlplane.cli.output import Terminal
from controlplane.cli.processes.bootstrap import mint_admin_token
from controlplane.commands.spine.tokens import hash_token
from controlplane.settings import Settings
from controlplane.store.database import Database
from controlplane.store.schema import SCHEMA_VERSION
from controlplane.store.spine_tables import TokenRow
from tests.support.builders.specs import CURATE
from tests.support.http_server import serving
from tests.support.ports import free_ports
from tests.support.processes import Processes
from tests.support.worlds.in_process import InProcess


@pytest.fixture
def site(sqlite_database: Database) -> InProcess:
    return InProcess(sqlite_database, max_body_bytes=20_000)


def with_token(site: InProcess, header: str) -> Any:
    return TestClient(site.app).get("/v1/jobs", headers={"authorization": header})


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer gw_unknown", "gw_unknown"])
def test_a_request_without_a_valid_token_is_401_and_says_what_to_send(site: InProcess, header: str) -> None:
    answer = with_token(site, header)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    problem = answer.json()
    assert problem["type"] == "https://graftwork.dev/problems/unauthorized"
    assert (problem["status"], problem["title"]) == (401, "No valid token came with the request")
    assert "gw_unknown" not in answer.text


def test_the_scheme_is_read_in_any_case(site: InProcess) -> None:
    assert with_token(site, f"bearer {site.tokens['viewer']}").status_code == 200


def test_another_role_is_403_and_told_which_one_may(site: InProcess) -> None:
    answer = site.client("viewer").post("/v1/tokens", json={"name": "x", "role": "admin"})
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "role 'viewer' may not do that: it needs 'admin'"
    refused = site.client("operator").get("/v1/audit").json()
    assert refused["detail"] == "role 'operator' may not do that: it needs 'auditor' or 'admin'"
    assert refused["title"] == "This token's role may not do that"


def test_too_many_unknown_tokens_are_429_and_a_valid_one_still_passes(sqlite_database: Database) -> None:
    site = InProcess(sqlite_database, failed_logins_per_minute=3)
    assert [with_token(site, f"Bearer x{n}").status_code for n in range(5)] == [401, 401, 401, 429, 429]
    refused = with_token(site, "Bearer x")
    assert 50 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["type"].endswith("/too-many-failures")
    assert site.client("viewer").get("/v1/jobs").status_code == 200


def test_a_caller_cannot_choose_the_address_that_failures_are_counted_by(sqlite_database: Database) -> None:
    site = InProcess(sqlite_database, failed_logins_per_minute=2)
    for number in range(4):
        headers = {"authorization": f"Bearer {number}", "x-forwarded-for": f"10.0.0.{number}", "forwarded": "for=1.1"}
        last = site.client(None).get("/v1/jobs", headers=headers)
    assert last.status_code == 429


def test_a_token_is_shown_once_and_kept_as_its_hash_only(site: InProcess, tmp_path: Path) -> None:
    made = site.client("admin").post("/v1/tokens", json={"name": "ci", "role": "operator"}).json()
    assert made["token"].startswith("gw_")
    assert "token" not in site.client("admin").get("/v1/tokens").json()[-1]
    site.database.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("graftwork.db*"))
    assert b"operator" in stored
    for plain in (made["token"], *site.tokens.values()):
        assert plain.encode() not in stored


def test_a_revoked_token_opens_nothing_from_then_on(site: InProcess) -> None:
    made = site.client("admin").post("/v1/tokens", json={"name": "ci", "role": "viewer"}).json()
    assert with_token(site, f"Bearer {made['token']}").status_code == 200
    assert site.client("admin").delete(f"/v1/tokens/{made['id']}").status_code == 204
    assert with_token(site, f"Bearer {made['token']}").status_code == 401
    assert site.client("admin").delete(f"/v1/tokens/{made['id']}").status_code == 404


@pytest.mark.parametrize("role", ["root", "", None, 1])
def test_a_token_of_no_known_role_is_refused(site: InProcess, role: Any) -> None:
    answer = site.client("admin").post("/v1/tokens", json={"name": "x", "role": role})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "role"
    assert "'viewer'" in answer.json()["errors"][0]["expected"]


# --- the first admin --------------------------------------------------------------------------------------------------


def terminal(home: Path, **settings: Any) -> Terminal:
    return Terminal(Settings(home=home, **settings))


def test_the_first_admin_token_goes_into_a_file_that_only_its_owner_reads(
    sqlite_database: Database, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    mint_admin_token(terminal(home), sqlite_database)
    file = home / "admin.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = file.read_text().strip()
    mint_admin_token(terminal(home), sqlite_database)
    assert file.read_text().strip() == token
    assert with_token(InProcess(sqlite_database), f"Bearer {token}").status_code == 200


def test_a_given_first_token_is_written_nowhere(sqlite_database: Database, tmp_path: Path) -> None:
    mint_admin_token(terminal(tmp_path / "home", bootstrap_token="gw_given_by_somebody"), sqlite_database)
    assert not (tmp_path / "home").exists()
    assert with_token(InProcess(sqlite_database), "Bearer gw_given_by_somebody").status_code == 200


@pytest.fixture
def two_databases(database_url: str) -> Iterator[tuple[Database, Database]]:
    two = Database(database_url), Database(database_url)
    yield two
    for one in two:
        one.close()


def test_two_that_bootstrap_at_once_mint_one_admin_whose_token_is_in_the_file(
    two_databases: tuple[Database, Database], tmp_path: Path
) -> None:
    one = two_databases[0]
    with ThreadPoolExecutor(2) as pool:
        for number in range(100):
            home = tmp_path / str(number)
            list(pool.map(lambda database: mint_admin_token(terminal(home), database), two_databases))  # noqa: B023
            with one.begin("test") as uow:
                rows = uow.session.exec(select(TokenRow).where(col(TokenRow.bootstrap).is_(True))).all()
                assert len(rows) == 1
                token = (home / "admin.token").read_text().strip()
                assert rows[0].hash == hash_token(token)
                uow.session.delete(rows[0])


def test_two_processes_that_upgrade_at_once_both_end_well(
    processes: Processes, empty_database_url: str, tmp_path: Path
) -> None:
    env = {"GRAFTWORK_DATABASE_URL": empty_database_url, "GRAFTWORK_HOME": str(tmp_path / "home")}
    both = [processes.python(f"upgrade-{n}", "-m", "controlplane", "db", "upgrade", env=env) for n in (1, 2)]
    assert [one.wait() for one in both] == [0, 0], "\n".join(one.output() for one in both)
    database = Database(empty_database_url)
    token = (tmp_path / "home" / "admin.token").read_text().strip()
    assert with_token(InProcess(database), f"Bearer {token}").status_code == 200
    database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))


# --- what comes in ----------------------------------------------------------------------------------------------------


def test_a_body_that_is_too_large_is_413_and_the_next_request_is_answered(site: InProcess) -> None:
    client = site.client("operator")
    for content in (b"x" * 20_001, iter([b"x" * 10_000] * 3)):
        answer = client.post("/v1/jobs", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"] == "expected at most 20000 bytes"
    assert client.post("/v1/jobs", json={"kind": "curate", "spec": CURATE}).status_code == 201


def test_a_chunked_body_without_a_length_is_counted_on_a_real_socket(site: InProcess) -> None:
    headers = {"authorization": f"Bearer {site.tokens['operator']}", "content-type": "application/json"}
    with serving(site.app) as url, httpx.Client(base_url=url, headers=headers) as client:
        refused = client.post("/v1/jobs", content=iter([b" " * 5_000] * 10))
        assert refused.status_code == 413
        body = json.dumps({"kind": "curate", "spec": CURATE}).encode()
        assert client.post("/v1/jobs", content=iter([body[:20], body[20:]])).status_code == 201


def test_what_is_wrong_is_named_with_its_value_and_what_was_expected(site: InProcess) -> None:
    body = {"kind": "cure", "spec": CURATE, "max_attempts": 0, "extra": "é" * 200}
    answer = site.client("operator").post("/v1/jobs", json=body)
    assert answer.status_code == 422
    errors = {error["field"]: error for error in answer.json()["errors"]}
    assert errors["kind"]["value"] == "cure"
    assert "'curate'" in errors["kind"]["expected"]
    assert errors["max_attempts"]["value"] == "0"
    assert errors["max_attempts"]["expected"] == "expected at least 1"
    assert errors["extra"]["value"] == "é" * 80
    assert answer.json()["detail"].startswith("kind: ")


def test_the_nearest_name_is_for_whoever_may_read_names(site: InProcess) -> None:
    site.deploy("reviews")
    boot = {"boot": str(uuid4()), "gateway": "g", "deployment": "reviws", "first_second": 1, "sent_second": 1}
    unread = site.client("gateway").post("/v1/gateway/boots", json=boot)
    assert (unread.status_code, "reviews" in unread.text) == (404, False)
    assert "did you mean 'reviews'?" in site.client("viewer").get("/v1/deployments/reviws").json()["detail"]


@pytest.mark.parametrize("field", ["token", "secret", "api_token", "client_secret"])
def test_a_secret_in_a_wrong_place_is_not_sent_back(site: InProcess, field: str) -> None:
    answer = site.client("operator").post("/v1/jobs", json={"kind": "curate", "spec": {}, field: "gw_do-not-tell"})
    assert answer.status_code == 422
    assert f"{field}: " in answer.json()["detail"]
    assert "gw_do-not-tell" not in answer.text


def test_what_is_not_there_is_a_problem_too(site: InProcess) -> None:
    for answer, status in (
        (site.client("viewer").get("/v1/nothing"), 404),
        (site.client("viewer").patch("/v1/jobs"), 405),
    ):
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


# --- health -----------------------------------------------------------------------------------------------------------


def test_metrics_are_read_by_a_prometheus_parser(site: InProcess) -> None:
    site.client("operator").post("/v1/jobs", json={"kind": "curate", "spec": CURATE})
    answer = site.client("viewer").get("/metrics")
    families = {family.name for family in text_string_to_metric_families(answer.text)}
    assert families
    assert all(name.startswith("graftwork_") for name in families)


def test_an_instance_is_ready_when_its_schema_fits_and_503_when_it_is_too_old(site: InProcess, tmp_path: Path) -> None:
    assert site.client(None).get("/readyz").json() == {"status": "ready"}
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    answer = TestClient(create_app(site.settings, empty)).get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "graftwork db upgrade" in answer.json()["title"]
    empty.close()


def test_info_says_what_this_is(site: InProcess) -> None:
    info = site.client("viewer").get("/v1/info").json()
    assert (info["mode"], info["source"], info["schema_version"]) == ("embedded", "graftwork", SCHEMA_VERSION)


def test_an_instance_whose_database_is_away_says_503_and_try_again() -> None:
    away = Database(f"postgresql+psycopg://nobody@127.0.0.1:{free_ports(1)[0]}/nothing")
    client = TestClient(create_app(Settings(), away), headers={"authorization": "Bearer gw_x"})
    for path in ("/readyz", "/v1/jobs", "/metrics"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["detail"] == "the database is away"
    assert client.get("/healthz").status_code == 200
    away.close()
