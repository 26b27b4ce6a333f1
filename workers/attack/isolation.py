"""Cuts the attack's process off: no network, and no life after its parent."""

import ctypes
import os
import sys
import threading
from typing import Final

# linux/sched.h. Python's os.unshare begins with 3.12.
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
REFUSED_EVENTS: Final = frozenset(
    {
        "socket.connect",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.bind",
    }
)


class NetworkRefused(OSError):
    """An attack may not reach the network."""


def leave_network() -> bool:
    """Refuse every connection of this process, and its children's too where the kernel lets us (True).

    Call it before anything starts a thread: the kernel makes a user namespace for a process with one thread only.
    """
    namespace = _enter_empty_network_namespace()
    # An audit hook cannot be taken off again, by us or by a library.
    sys.addaudithook(_refuse_network)
    return namespace


def exit_with_parent() -> None:
    """The parent holds the other end of our standard input: when that closes, this process ends."""

    def wait() -> None:
        # Not sys.stdin: a thread that waits inside its lock makes the interpreter abort when it ends.
        while os.read(0, 1):
            pass
        os._exit(3)

    threading.Thread(target=wait, name="exit-with-parent", daemon=True).start()


def _enter_empty_network_namespace() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return int(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)) == 0


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    if event in REFUSED_EVENTS:
        raise NetworkRefused(f"an attack may not reach the network ({event})")
