"""A TCP proxy between gateways and the API whose cable can be pulled: connections hang, or are refused."""

import contextlib
import socket
import struct
import threading
from typing import Literal

from tests.support.ports import free_ports

How = Literal["black hole", "refused"]
CHUNK = 65536
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Listens on a port of its own for as long as the process lives; `cut` and `heal` may be called at any time."""

    def __init__(self, target_port: int) -> None:
        (self.port,) = free_ports(1)
        self._target = ("127.0.0.1", target_port)
        self._flows = threading.Event()
        self._flows.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self, how: How) -> None:
        """`black hole`: what is open hangs, and so does what is new; `refused`: all is reset and nobody listens."""
        self._flows.clear()
        if how == "refused":
            self._stop_listening()
            self._reset_all()

    def heal(self) -> None:
        """What hung in the black hole arrives now, late, as TCP would send it again."""
        self._flows.set()
        if self._listener is None:
            self._listen()

    def close(self) -> None:
        self._stop_listening()
        self._reset_all()
        self._flows.set()

    def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64, reuse_port=False)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes accept
            listener.close()

    def _reset_all(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        self._flows.wait()
        try:
            far = socket.create_connection(self._target, timeout=10)
        except OSError:
            near.close()
            return
        far.settimeout(None)
        with self._lock:
            self._open |= {near, far}
        threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
        self._pump(far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK):
                self._flows.wait()
                sink.sendall(data)
            self._flows.wait()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(source, sink)

    def _drop(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open -= set(ends)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
