"""Real processes of ours for tests: started, killed, stopped and continued by their id, and none left behind."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def is_alive(pid: int) -> bool:
    """A zombie is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for text in lists for word in text.split()]


def descendants(pid: int) -> list[int]:
    """Every process that this one has started, and what those have started."""
    direct = children(pid)
    return [*direct, *(below for child in direct for below in descendants(child))]


def told_of(pid: int, file: str) -> str:
    """`cmdline` or `environ` of a process, words apart by blanks; empty when it has ended, as a zombie's are."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def end_on_sigterm() -> None:
    """By an exit of Python's own, so that whatever this process has started is ended by who started it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class Process:
    """One process in a group of its own, so that killing it takes its children too."""

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._popen = subprocess.Popen(
                [*argv],
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """To the whole group; harmless when it has ended."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> int:
        """SIGKILL, as a power cut does it."""
        self.signal(signal.SIGKILL)
        return self._popen.wait(timeout=30)

    def stop(self, seconds: float = 30) -> int:
        """SIGTERM, and SIGKILL when that does not end it in time."""
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            return self._popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return self.kill()

    def wait(self, seconds: float = 60) -> int:
        """The exit status; fails with what the process said when it does not end in time."""
        try:
            return self._popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {seconds} s:\n{self.output()[-3000:]}") from None


class Processes:
    """Every process that one test started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Process] = []

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Process:
        process = Process(name, argv, env or {}, self.folder / f"{name}.log")
        self.all.append(process)
        return process

    def python(self, name: str, *arguments: str, env: Mapping[str, str] | None = None) -> Process:
        """`python -m …` or `python -c …` with this interpreter, in the repository's root."""
        return self.start(name, [sys.executable, *arguments], env)

    def kill_all(self) -> None:
        """Also what they have started in groups of its own."""
        self.kill(self.all)

    def kill(self, killed: Iterable[Process]) -> None:
        """Those of them, and what they have started in groups of its own."""
        killed = list(killed)
        below = [pid for process in killed for pid in descendants(process.pid)]
        for process in killed:
            process.kill()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def last_words(self, lines: int = 40) -> Iterator[tuple[str, str]]:
        """Name and end of every log under the folder, for the report of a test that failed."""
        for log in sorted(self.folder.rglob("*.log")):
            yield str(log.relative_to(self.folder)), "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
