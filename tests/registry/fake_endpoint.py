"""An endpoint that says whatever a test wants, byte by byte if need be, on a real socket."""

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Say = Callable[["Asked"], None]


class Asked:
    """One request, and the raw socket to answer on."""

    def __init__(self, head: bytes, body: bytes, write: Callable[[bytes], Any]) -> None:
        self.path = head.split(b" ", 2)[1].decode()
        self.headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (
                line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]
            )
            if name
        }
        self.body = body
        self.write = write

    @property
    def inputs(self) -> list[Any]:
        found: list[Any] = json.loads(self.body)["inputs"]
        return found

    def answer(
        self, value: Any, *, status: str = "200 OK", headers: dict[str, str] | None = None
    ) -> None:
        """Write a whole response; bytes go as they are, anything else as JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {text}\r\n" for name, text in (fields | (headers or {})).items())
        self.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    def classify(self, good: float = 0.75) -> None:
        """Answer as a well-behaved endpoint with the labels GOOD and BAD does."""
        row = [{"label": "GOOD", "score": good}, {"label": "BAD", "score": 1 - good}]
        self.answer([row for _ in self.inputs])

    def drip(self, data: bytes, every_s: float) -> None:
        """Write one byte at a time."""
        for at in range(len(data)):
            self.write(data[at : at + 1])
            time.sleep(every_s)


class FakeEndpoint:
    """Answers each request by `say`; remembers what was asked. `n_connections` counts sockets."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.asked: list[Asked] = []
        self.n_connections = 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                outer.n_connections += 1
                try:
                    while outer._one(self.rfile, self.connection.sendall):
                        pass
                except OSError:
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}/models/team/far"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _one(self, stream: Any, write: Callable[[bytes], Any]) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            if not line:
                return False
            head += line
        length = 0
        for field in head.lower().split(b"\r\n"):
            if field.startswith(b"content-length:"):
                length = int(field.partition(b":")[2])
        asked = Asked(head, stream.read(length), write)
        self.asked.append(asked)
        self.say(asked)
        return True

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def fake_endpoint(say: Say = Asked.classify) -> Iterator[FakeEndpoint]:
    made = FakeEndpoint(say)
    try:
        yield made
    finally:
        made.stop()
