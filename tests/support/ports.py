"""Free ports on loopback."""

import socket


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago: all held at once, so they differ."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
