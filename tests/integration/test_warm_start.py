"""Attempts that are forks of a server: as alone as a process of their own, and nothing is lost when the server is."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import ROOT, Process, descendants, is_alive
from tests.support.waiting import wait_for
from tests.support.worlds.machine import TOKEN, Machine, job_pid
from workers.runtime.warm import SERVER

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux adopts orphans: elsewhere every job starts cold"),
]


def run(code: str, **environment: str) -> Any:
    """What a process of its own prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def server_of(worker: Process) -> int:
    """Its attempts are forks of it, so they go by its name: the first one is the server."""

    def find() -> int | None:
        named = [pid for pid in descendants(worker.pid) if SERVER in Path(f"/proc/{pid}/cmdline").read_text()]
        return min(named, key=began, default=None)

    return wait_for(find, "the worker has a fork server")


def began(pid: int) -> int:
    """In clock ticks since the machine's start."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


PROBE = """
    import json, os, sys
    from pathlib import Path
    from tests.support.waiting import wait_for
    from workers.runtime.warm import Starter

    starter = Starter(60)
    started = [starter.start("curate", lambda: False) for _ in range(2)]  # both wait for their task now
    def descriptors(proc):
        return sorted(os.readlink(path).split(":")[0] for path in (proc / "fd").iterdir())

    found = []
    for one in started:
        proc = Path("/proc", str(one.process.pid))
        wait_for(lambda: "socket" not in descriptors(proc), "it has let go of its server's socket")
        found.append({
            "pid": one.process.pid,
            "parent": int((proc / "stat").read_text().rpartition(")")[2].split()[1]) - os.getpid(),
            "group": os.getpgid(one.process.pid), "session": os.getsid(one.process.pid),
            "descriptors": descriptors(proc),
            "threads": len(list((proc / "task").iterdir())),
            "environment": (proc / "environ").read_bytes().decode(),
            "preloaded": "numpy" in (proc / "maps").read_text(),
        })
        one.stdin.close()
    print(json.dumps({
        "found": found,
        "statuses": [one.process.wait(30) for one in started],
        "torch in the worker": "torch" in sys.modules,
    }))
    starter.close()
    """


def test_a_fork_is_as_alone_as_a_process_of_its_own() -> None:
    said = run(PROBE, GRAFTWORK_TOKEN=TOKEN, GRAFTWORK_KAFKA_SASL_PASSWORD=TOKEN)
    assert not said["torch in the worker"]
    # Their worker's end of the pipe closed: they end by themselves, each with the status that says so.
    assert said["statuses"] == [70, 70]
    for fork in said["found"]:
        assert fork["preloaded"]
        assert fork["parent"] == 0  # its worker, which hears at once how it ended
        assert fork["pid"] == fork["group"] == fork["session"]
        assert fork["descriptors"] == ["pipe"] * 4
        assert fork["threads"] == 1
        assert TOKEN not in fork["environment"]


def test_two_forks_of_one_server_draw_different_numbers() -> None:
    said = run("""
        import json, os, random
        import numpy as np, torch
        from workers.runtime.fork_server import fork, reseed
        from workers.runtime.linux import adopt_orphans

        adopt_orphans()
        random.seed(7), np.random.seed(7), torch.manual_seed(7)
        drawn = []
        for _ in range(2):
            read_end, write_end = os.pipe()
            if fork() == 0:
                reseed()
                numbers = [random.random(), np.random.random(), torch.rand(1).item(), os.urandom(4).hex()]
                os.write(write_end, json.dumps(numbers).encode())
                os._exit(0)
            os.close(write_end)
            drawn.append(json.loads(os.read(read_end, 4096)))
        print(json.dumps(drawn))
        """)
    assert all(first != second for first, second in zip(*said, strict=True))


def test_a_server_with_threads_refuses_to_fork(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").write_text("")
    (tmp_path / "threaded.py").write_text(
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    (tmp_path / "broken.py").write_text("raise ValueError('planted')")
    said = run(
        """
        import json
        from workers.runtime import fork_server
        from workers import train
        found = []
        for name in ("quiet", "broken", "threaded"):
            train.LIBRARIES = (name,)
            found.append(fork_server.warm_up("train"))
        print(json.dumps(found))
        """,
        PYTHONPATH=str(tmp_path),
    )
    assert said == [None, "broken cannot be imported: ValueError", "its libraries started 1 threads"]


def test_a_job_that_nobody_wants_does_not_wait_for_libraries(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("import time; time.sleep(1000)")
    said = run(
        """
        import json
        from workers.runtime.warm import Starter
        starter = Starter(60)
        started = starter.start("curate", lambda: True)
        started.stdin.close()
        print(json.dumps(started.process.wait(60)))
        starter.close()
        """,
        PYTHONPATH=str(tmp_path),
    )
    assert said == 70


@pytest.mark.e2e
def test_a_killed_worker_leaves_neither_its_job_nor_its_server(machine: Machine) -> None:
    worker = machine.worker("first")
    machine.until_phase(machine.request("curate", machine.curate_spec()), "Succeeded")
    job_id = machine.request("train", machine.train_spec(100))
    machine.until(job_id, lambda job: job["checkpoint"], "the training saves a checkpoint")
    family = descendants(worker.pid)
    assert {job_pid(worker, job_id), server_of(worker)} <= set(family)
    worker.kill()
    wait_for(lambda: not [pid for pid in family if is_alive(pid)], "nothing of the worker is left")


@pytest.mark.e2e
def test_a_killed_server_costs_neither_the_job_that_runs_nor_the_next(machine: Machine) -> None:
    worker = machine.worker("first")
    machine.until_phase(machine.request("curate", machine.curate_spec()), "Succeeded")
    job_id = machine.request("train", machine.train_spec(20))
    machine.until(job_id, lambda job: job["checkpoint"], "the training saves a checkpoint")
    server = server_of(worker)
    os.kill(server, signal.SIGKILL)
    job = machine.until_phase(job_id, "Succeeded")
    assert (job["attempt"], job["failures"]) == (1, 0)
    job = machine.until_phase(machine.request("curate", machine.curate_spec()), "Succeeded")
    assert (job["attempt"], job["failures"]) == (1, 0)
    assert server_of(worker) != server


@pytest.mark.e2e
def test_a_library_that_is_missing_is_told_by_the_attempt(machine: Machine, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    for name in ("numpy", "pyarrow"):  # of the server, and of the attempt alone
        (shadow / f"{name}.py").write_text("raise ImportError('planted')")
    machine.env["PYTHONPATH"] = str(shadow)
    worker = machine.worker("first")
    job_id = machine.request("curate", machine.curate_spec())
    job = machine.until(job_id, lambda job: job["reason"], "the job is released")
    assert "cannot run curate jobs: planted" in job["reason"]
    assert "starts cold: numpy cannot be imported: ImportError" in worker.output()


@pytest.mark.e2e
@pytest.mark.parametrize("warm_seconds", ["60", "0"], ids=["warm", "cold"])
def test_whoever_waits_is_told_that_libraries_are_loaded(machine: Machine, tmp_path: Path, warm_seconds: str) -> None:
    """Before the job itself can say a word."""
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "numpy.py").write_text("import time; time.sleep(1000)")
    machine.env |= {"PYTHONPATH": str(shadow), "GRAFTWORK_WORKER_WARM_SECONDS": warm_seconds}
    machine.worker("first", "curate")
    job_id = machine.request("curate", machine.curate_spec())
    job = machine.until(job_id, lambda job: job["progress"], "the job is heard of")
    assert (job["phase"], job["progress"]["message"]) == ("Running", "loading libraries")


@pytest.mark.e2e
def test_a_worker_may_start_every_job_cold(machine: Machine) -> None:
    machine.env["GRAFTWORK_WORKER_WARM_SECONDS"] = "0"
    worker = machine.worker("first")
    job_id = machine.request("curate", machine.curate_spec())
    machine.until_phase(job_id, "Succeeded")
    assert descendants(worker.pid) == []
