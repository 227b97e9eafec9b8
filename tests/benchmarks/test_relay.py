import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from benchmarks.relay import Relay


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that sends back what it gets, on each connection until it ends."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(65536):
                    connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(10)


def ask(relay: Relay, data: bytes) -> bytes:
    """Send `data` through the relay, and return what comes back until the connection ends."""
    port = int(relay.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer = bytearray()
        while piece := connection.recv(65536):
            answer += piece
        return bytes(answer)


def test_bytes_pass_both_ways_and_are_counted(echo: tuple[str, int]) -> None:
    with Relay(echo) as relay:
        assert ask(relay, b"x" * 5000) == b"x" * 5000
        assert (relay.n_sent, relay.n_received) == (5000, 5000)
        relay.reset()
        assert ask(relay, b"again") == b"again"
        assert relay.n_sent == 5


def test_one_connection_is_cut_and_the_next_is_not(echo: tuple[str, int]) -> None:
    with Relay(echo) as relay:
        relay.cut_after = 1000
        try:
            answer = ask(relay, b"x" * 50_000)
        except ConnectionError:
            answer = b""
        assert len(answer) < 50_000
        assert relay.cut_after is None
        assert ask(relay, b"x" * 50_000) == b"x" * 50_000


def test_the_target_may_move(echo: tuple[str, int]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = nobody.getsockname()
    with Relay(closed) as relay:
        with suppress(OSError):
            assert ask(relay, b"lost") == b""
        relay.target = echo
        assert ask(relay, b"found") == b"found"
