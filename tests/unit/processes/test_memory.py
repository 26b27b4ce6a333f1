"""Threads that come and go share two heaps of the C library, where each would have had its own."""

import platform
import subprocess
import sys

import pytest

HEAPS = """
import ctypes, re, tempfile, threading
ready = threading.Barrier(6)

def take():
    ready.wait()
    kept = [bytes(50_000) for _ in range(20)]  # too large for Python's own allocator, too small for a mapping
    ready.wait()

threads = [threading.Thread(target=take) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
c = ctypes.CDLL(None)
c.fopen.restype = ctypes.c_void_p
with tempfile.NamedTemporaryFile() as file:
    stream = ctypes.c_void_p(c.fopen(file.name.encode(), b"w"))
    c.malloc_info(0, stream)
    c.fclose(stream)
    print(len(re.findall("<heap nr=", file.read().decode())))
"""


def heaps(first: str) -> int:
    """How many heaps a process has that begins with `first` and then has many threads at once."""
    done = subprocess.run([sys.executable, "-c", first + HEAPS], capture_output=True, text=True, timeout=60, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="NOT RUN: only glibc gives threads heaps of their own")
def test_many_threads_share_two_heaps() -> None:
    assert heaps("") > 2
    assert heaps("from processes.memory import share_arenas; share_arenas()") == 2
