"""A relay between a client and a server on one machine: counts bytes, or cuts a connection."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

PIECE_BYTES = 64 * 1024
_CONNECT_S = 10.0


class Relay:
    """Passes bytes on between its own address and `target` (host, port), which may change.

    `n_sent` and `n_received` are bytes as the client sees them, headers included. While `cut_after`
    is set, the next connection that has sent so many bytes is reset, and `cut_after` is None again.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.n_sent = 0
        self.n_received = 0
        self.cut_after: int | None = None
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, name="relay", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)

    def reset(self) -> None:
        """Count from nothing."""
        with self._lock:
            self.n_sent = self.n_received = 0

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self.target, _CONNECT_S)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        back = threading.Thread(target=_pump, args=(server, client, self._count_back), daemon=True)
        back.start()
        n_sent = 0

        def count(n: int) -> bool:
            nonlocal n_sent
            n_sent += n
            return self._count(n, n_sent)

        _pump(client, server, count)
        back.join()
        client.close()
        server.close()

    def _count(self, n: int, n_on_connection: int) -> bool:
        with self._lock:
            self.n_sent += n
            if self.cut_after is None or n_on_connection < self.cut_after:
                return True
            self.cut_after = None
            return False

    def _count_back(self, n: int) -> bool:
        with self._lock:
            self.n_received += n
        return True


def _pump(source: socket.socket, sink: socket.socket, may_go_on: Callable[[int], bool]) -> None:
    """Pass bytes on until one side ends, or the connection is to be cut."""
    with suppress(OSError):
        while data := source.recv(PIECE_BYTES):
            if not may_go_on(len(data)):
                break
            sink.sendall(data)
        else:
            sink.shutdown(socket.SHUT_WR)
            return
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
