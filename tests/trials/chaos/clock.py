"""A wall clock that the runner moves, in one worker's process and in those that it starts."""

import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("wall_clock.c")
BYTES = 8


class MovableClock:
    """Only the wall clock: what is monotonic stays so, as when somebody sets the time."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock.offset"
        self._file.write_bytes(bytes(BYTES))
        self._library = folder / "wall_clock.so"
        self.reason = self._build()
        """Why it cannot be moved, or None."""

    def environment(self) -> dict[str, str]:
        if self.reason is not None:
            return {}
        return {"LD_PRELOAD": str(self._library), "GRAFTWORK_CHAOS_CLOCK": str(self._file)}

    def set(self, seconds: int = 0) -> None:
        """So far ahead of the machine's clock, or behind it; in place, because processes have it mapped."""
        with self._file.open("r+b") as file:
            file.write(seconds.to_bytes(BYTES, "little", signed=True))

    def _build(self) -> str | None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return "no C compiler (Debian: apt-get install gcc libc6-dev)"
        command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(self._library), str(SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True)
        return f"the clock does not compile: {done.stderr[-500:]}" if done.returncode else None
