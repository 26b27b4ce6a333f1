"""A gateway fails safe: without its control plane, after SIGKILL, and from what it kept on disk."""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from schemas.serving import Generation, LostUnits, Observation
from tests.support.ports import free_ports
from tests.support.processes import Process, Processes
from tests.support.scripted_engine import HANG, ScriptedEngine
from tests.support.waiting import wait_for
from workers.serve.counting import uplink
from workers.serve.counting.remains import read_remains
from workers.serve.engines.graph.sessions import Sessions
from workers.serve.files import GatewayBusy, GatewayFiles

PROGRAM: Final = "tests.support.scripted_gateway_process"


@contextmanager
def gateway_process(processes: Processes, site: Any, name: str) -> Iterator[tuple[Process, httpx.Client]]:
    [port] = free_ports(1)
    env = {"GRAFTWORK_API_URL": site.api_url, "GRAFTWORK_HOME": str(site.home)}
    process = processes.python(name, "-m", PROGRAM, "--deployment", "reviews", "--port", str(port), env=env)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:

        def answers() -> bool:
            assert process.running, process.output()
            try:
                return ready(client)
            except httpx.TransportError:
                return False

        wait_for(answers, "the gateway is ready", seconds=60)
        yield process, client


def kept(site: Any) -> Path:
    folder: Path = site.home / "gateways" / "reviews" / "gateway-1"
    return folder


def ready(client: httpx.Client) -> bool:
    return client.get("/readyz").status_code == 200


def hang(client: httpx.Client) -> threading.Thread:
    """A request that never ends, from a thread of its own."""

    def run() -> None:
        try:
            client.post("/v1/predict", json={"text": HANG})
        except httpx.TransportError:
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.e2e
def test_a_unit_that_died_with_its_gateway_is_reported_by_the_next_boot(site: Any, processes: Processes) -> None:
    site.roll_out(2, weight=1.0, deadline_seconds=60)
    with gateway_process(processes, site, "first") as (process, client):
        wait_for(lambda: "graftwork_gateway_applied_weight 1.0" in client.get("/metrics").text, "the canary's weight")
        assert client.post("/v1/predict", json={"text": "one"}).headers["x-variant"] == "canary"
        request = hang(client)
        [journal] = kept(site).glob("*.journal")
        wait_for(lambda: b"\n[1," in journal.read_bytes(), "the arrival is in the journal")
        process.kill()
        request.join(30)
    [lost_boot] = site.control.boots
    with gateway_process(processes, site, "second"):
        wait_for(lambda: site.control.lost, "lost units are reported")
        wait_for(lambda: not journal.exists(), "the journal is done with")
    assert [one.more for one in site.control.lost] == [True] * (len(site.control.lost) - 1) + [False]
    assert {one.boot for one in site.control.lost} == {lost_boot.boot} != {site.control.boots[-1].boot}
    [unfinished] = [one for lost in site.control.lost for one in lost.seconds if one.unfinished]
    [generation] = unfinished.generations
    assert (generation.generation, generation.applied_weight) == (2, 1.0)
    assert unfinished.second >= lost_boot.first_second
    assert (generation.canary.error, generation.stable.units) == (1, 0)
    assert ends_of(site, lost_boot.boot) == (2, 1)


def ends_of(site: Any, boot: UUID) -> tuple[int, int]:
    """Units and errors of the canary, in the seconds that a boot told and in those that the next one told of it."""
    told = {one.second: one for one in site.observed() if one.boot == boot}
    lost = [one for part in site.control.lost if part.boot == boot for one in part.seconds]
    assert not told.keys() & {one.second for one in lost}
    arms = [cell.canary for one in (*told.values(), *lost) for cell in one.generations]
    return sum(arm.units for arm in arms), sum(arm.error for arm in arms)


@pytest.mark.e2e
def test_seconds_that_a_killed_gateway_could_not_tell_are_told_by_its_next_boot(
    site: Any, processes: Processes
) -> None:
    site.roll_out(2, weight=1.0, deadline_seconds=60)
    with gateway_process(processes, site, "first") as (process, client):
        wait_for(lambda: "graftwork_gateway_applied_weight 1.0" in client.get("/metrics").text, "the canary's weight")
        site.control.refuse = lambda _second: 503
        [journal] = kept(site).glob("*.journal")
        for text in ("one", "two", "three"):
            assert client.post("/v1/predict", json={"text": text}).headers["x-variant"] == "canary"
            sealed = len(sealed_in(journal))
            wait_for(lambda sealed=sealed: len(sealed_in(journal)) > sealed, "its second is sealed")
        process.kill()
        first, *others = sealed_in(journal)
    [boot] = site.control.boots
    before = len(site.observed())
    site.control.refuse = lambda second: 409 if second == first.second else 200
    with gateway_process(processes, site, "second") as (_, client):
        wait_for(lambda: not journal.exists(), "the journal is done with")
        assert "graftwork_gateway_lost_seconds_total 1.0" in client.get("/metrics").text
    assert [one for one in site.observed()[before:] if one.boot == boot.boot] == others
    assert ends_of(site, boot.boot)[0] + sum(cell.canary.units for cell in first.generations) == 3


def sealed_in(journal: Path) -> list[Observation]:
    remains = read_remains(journal)
    assert remains is not None
    return [Observation.model_validate_json(body) for body in remains.sealed.values()]


@pytest.mark.e2e
def test_a_stopped_gateway_tells_its_last_seconds_and_leaves_no_journal(site: Any, processes: Processes) -> None:
    site.release(1)
    with gateway_process(processes, site, "only") as (process, client):
        client.post("/v1/predict", json={"text": "one"})
        assert process.stop() in (0, -signal.SIGTERM), process.output()
    assert sum(g.stable.units for o in site.observed() for g in o.generations) == 1
    assert list(kept(site).glob("*.journal")) == []


def test_a_dead_control_plane_means_all_stable_within_the_lease(site: Any, client: httpx.Client) -> None:
    site.control.lease_seconds = 3.0
    site.roll_out(2, weight=1.0)
    wait_for(lambda: "graftwork_gateway_applied_weight 1.0" in client.get("/metrics").text, "the canary's weight")
    site.stop_control_plane()

    def variant() -> str:
        answer = client.post("/v1/predict", json={"text": "one"})
        assert answer.status_code == 200
        return answer.headers["x-variant"]

    wait_for(lambda: variant() == "stable", "all stable", seconds=15)
    assert {variant() for _ in range(20)} == {"stable"}
    accepted = len(site.observed())
    site.start_control_plane()
    wait_for(lambda: len(site.observed()) > accepted + 3, "the outage is told afterwards")
    seconds = [o.second for o in site.observed()]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
    wait_for(lambda: variant() == "canary", "the lease is renewed")


def test_a_gateway_that_ends_says_that_nothing_more_comes(site: Any) -> None:
    site.release(1)
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready")
        client.post("/v1/predict", json={"text": "one"})
        [boot] = site.control.boots
    assert site.control.lost == [LostUnits(boot=boot.boot, seconds=())]
    assert sum(g.stable.units for o in site.observed() for g in o.generations) == 1


def test_seconds_that_nobody_takes_do_not_pile_up_for_ever(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uplink, "KEPT_SECONDS", 2)
    site.release(1)
    site.control.refuse = lambda _second: 503
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready")
        wait_for(lambda: "graftwork_gateway_lost_seconds_total 2.0" in client.get("/metrics").text, "two are dropped")
        assert "graftwork_gateway_unsent_seconds 2.0" in client.get("/metrics").text
        site.control.refuse = lambda _second: 200
        wait_for(lambda: len(site.observed()) > 3, "later ones are told")
    seconds = [o.second for o in site.observed()]
    assert seconds == sorted(seconds)


def test_a_version_that_was_exported_again_is_loaded_by_its_new_graph(site: Any) -> None:
    again = site.version(1, favours=1)
    assert again.id == site.stable.id
    sessions = Sessions(site.store, ScriptedEngine)
    sessions.load(site.stable)
    assert sessions.holds(site.stable)
    assert not sessions.holds(again)
    assert sessions.logits(again.id, ["one"]).argmax() == 0
    sessions.load(again)
    assert (sessions.holds(site.stable), sessions.holds(again), len(sessions.loaded)) == (False, True, 1)
    assert sessions.logits(again.id, ["one"]).argmax() == 1


def test_a_restart_without_a_control_plane_serves_stable_from_disk(site: Any) -> None:
    site.roll_out(2, weight=1.0)
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready")
    site.stop_control_plane()
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready again", seconds=30)
        answer = client.post("/v1/predict", json={"text": "one"})
        assert (answer.status_code, answer.headers["x-model-version"]) == (200, "movies/1")


def test_a_slow_disk_holds_up_no_generation_and_no_answer(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    disk, keep = threading.Event(), GatewayFiles.keep

    def slowly(files: GatewayFiles, name: str, generation: Generation) -> None:
        assert disk.wait(120)
        keep(files, name, generation)

    monkeypatch.setattr(GatewayFiles, "keep", slowly)
    site.release(1)
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready")
        site.release(2, stable=site.canary)
        wait_for(lambda: client.get("/readyz").json()["generation"] == 2, "generation 2 is in force")
        assert client.post("/v1/predict", json={"text": "one"}).headers["x-model-version"] == "movies/2"
        assert not (kept(site) / "in-force.json").exists()
        disk.set()
    assert json.loads((kept(site) / "in-force.json").read_bytes())["generation"] == 2


def test_a_restart_falls_back_to_what_was_in_force_when_the_newest_never_loaded(site: Any) -> None:
    site.release(1)
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready")
        site.release(2, stable=site.version(7, favours=1, fault="load"))
        newest = kept(site) / "generation.json"
        wait_for(lambda: json.loads(newest.read_bytes())["generation"] == 2, "generation 2 is kept")
        assert client.post("/v1/predict", json={"text": "one"}).headers["x-model-version"] == "movies/1"
    site.stop_control_plane()
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready again")
        assert client.post("/v1/predict", json={"text": "one"}).headers["x-model-version"] == "movies/1"


def test_the_signing_key_on_disk_is_for_its_owner_only(site: Any, client: httpx.Client) -> None:
    for file in (kept(site) / name for name in ("generation.json", "in-force.json")):
        wait_for(file.exists, f"{file.name} is kept")
        assert file.stat().st_mode & 0o777 == 0o600
    assert kept(site).stat().st_mode & 0o777 == 0o700


def test_a_damaged_file_on_disk_is_no_obstacle(site: Any) -> None:
    kept(site).mkdir(parents=True)
    (kept(site) / "generation.json").write_text('{"generation": 3, "signing')
    (kept(site) / "in-force.json").write_bytes(b"\xff")
    site.release(4)
    with site.gateway() as client:
        wait_for(lambda: ready(client), "ready")


def test_two_processes_cannot_be_one_gateway(site: Any, client: httpx.Client) -> None:
    with pytest.raises(GatewayBusy, match="already runs"):
        GatewayFiles(site.home, "reviews", "gateway-1")


@pytest.mark.e2e
def test_a_second_process_says_why_it_does_not_start(site: Any, client: httpx.Client, processes: Processes) -> None:
    env = {"GRAFTWORK_API_URL": site.api_url, "GRAFTWORK_HOME": str(site.home)}
    process = processes.python("second", "-m", PROGRAM, "--deployment", "reviews", "--port", "0", env=env)
    assert process.wait() == 1
    assert "already runs" in process.output()


@pytest.mark.e2e
def test_a_gateway_open_to_others_needs_a_token(site: Any, processes: Processes) -> None:
    arguments = ["--deployment", "reviews", "--port", "0", "--host", "0.0.0.0"]
    process = processes.python("open", "-m", "workers.serve", *arguments)
    assert process.wait() == 2
    assert "GRAFTWORK_GATEWAY_TOKEN" in process.output()
