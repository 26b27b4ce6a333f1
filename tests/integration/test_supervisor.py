"""`graftwork up` with real processes: what dies is started again, and nothing is left when it stops."""

import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.ports import free_ports
from tests.support.processes import Process, Processes
from tests.support.waiting import wait_for

pytestmark = pytest.mark.e2e


class Up:
    """One `graftwork up` in a home of its own."""

    def __init__(self, processes: Processes, home: Path, *arguments: str, port: int | None = None) -> None:
        self.home = home
        free, ui = free_ports(2)
        self.port = port or free
        self.ui_url = f"http://127.0.0.1:{ui}"
        env = {"GRAFTWORK_HOME": str(home), "GRAFTWORK_PORT": str(self.port), "GRAFTWORK_UI_PORT": str(ui)}
        self.process: Process = processes.python("up", "-m", "controlplane", "up", *arguments, env=env)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def until_up(self) -> None:
        def is_up() -> bool:
            assert self.process.running, self.process.output()
            return "Graftwork is up" in self.process.output()

        wait_for(is_up, "graftwork up", seconds=120)

    def children(self) -> dict[str, int]:
        """What runs below it: module to process id."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes().decode().split("\0")
            except (OSError, ValueError):
                continue
            if parent == self.process.pid:
                found[" ".join(words[2:4])] = int(folder.name)
        return found


@pytest.fixture
def up(processes: Processes, tmp_path: Path) -> Iterator[Up]:
    started = Up(processes, tmp_path / "home")
    yield started
    started.process.stop()


def test_what_is_killed_is_started_again_and_nothing_is_left_at_the_end(up: Up) -> None:
    up.until_up()
    ours = {f"controlplane {name}" for name in ("api", "ui", "reconciler", "reactions")}
    names = {*ours, "workers.runtime all"}
    before = wait_for(lambda: up.children() if set(up.children()) == names else None, "all processes run")
    logs = {file.name for file in (up.home / "logs").iterdir()}
    assert logs == {"api.log", "ui.log", "reconciler.log", "reactions.log", "worker-1.log"}  # each process its own
    token = (up.home / "admin.token").read_text().strip()
    signed_in = wait_for(lambda: sign_in(up, token), "the web UI lets the admin in", seconds=60)
    for name in ("controlplane api", "controlplane ui", "workers.runtime all"):
        os.kill(before[name], signal.SIGKILL)
    after = wait_for(
        lambda: up.children() if set(up.children()) == names and up.children() != before else None, "they run again"
    )
    assert after["controlplane reconciler"] == before["controlplane reconciler"]
    wait_for(lambda: answers(up), "the API answers again", seconds=60)
    wait_for(lambda: shows_the_fleet(up, signed_in), "the web UI shows its page to who was signed in", seconds=60)
    for file in (up.home / "admin.token", up.home / "tokens" / "worker.token"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    roles = {
        one["role"] for one in httpx.get(f"{up.url}/v1/tokens", headers={"authorization": f"Bearer {token}"}).json()
    }
    assert roles == {"admin", "worker"}
    assert token not in up.process.output()
    assert up.process.stop() == 0
    assert [pid for pid in {*before.values(), *after.values()} if Path(f"/proc/{pid}").exists()] == []


def sign_in(up: Up, token: str) -> dict[str, str]:
    """The browser's cookies; none while the UI is not there yet."""
    try:
        return dict(httpx.post(f"{up.ui_url}/sign-in", data={"token": token}, timeout=30).cookies)
    except httpx.HTTPError:
        return {}


def shows_the_fleet(up: Up, cookies: dict[str, str]) -> bool:
    try:
        return "<h1>Fleet</h1>" in httpx.get(up.ui_url, cookies=cookies, timeout=30).text
    except httpx.HTTPError:
        return False


def answers(up: Up) -> bool:
    try:
        return httpx.get(f"{up.url}/readyz", timeout=2).is_success
    except httpx.HTTPError:
        return False


def test_a_supervisor_that_is_killed_takes_its_processes_with_it(processes: Processes, tmp_path: Path) -> None:
    up = Up(processes, tmp_path / "home", "--workers", "0")
    up.until_up()
    children = wait_for(lambda: up.children() if len(up.children()) == 4 else None, "all processes run")
    os.kill(up.process.pid, signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children.values()), "they end")


def test_a_taken_port_is_one_line_that_says_which_and_what_to_do(processes: Processes, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        up = Up(processes, tmp_path / "home", port=port)
        assert up.process.wait() == 2
    last = up.process.output().strip().splitlines()[-1]
    assert last.startswith(f"graftwork: port {port} of 127.0.0.1 is taken")
    assert "set GRAFTWORK_PORT" in last


def test_a_role_token_that_the_database_does_not_know_is_minted_again(processes: Processes, tmp_path: Path) -> None:
    home = tmp_path / "home"
    stale = home / "tokens" / "worker.token"
    stale.parent.mkdir(parents=True)
    stale.write_text("gw_of-a-database-that-is-gone\n")
    up = Up(processes, home)
    up.until_up()
    fresh = wait_for(lambda: stale.read_text().strip() if "gone" not in stale.read_text() else None, "a new token")
    headers = {"authorization": f"Bearer {fresh}"}
    assert httpx.get(f"{up.url}/v1/doorbell", headers=headers).status_code == 200
    assert up.process.stop() == 0
