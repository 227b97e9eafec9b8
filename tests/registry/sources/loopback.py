"""Real HTTP servers on loopback: one whose answers a test writes, and a small Hub to read from."""

import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from registry.gitobjects import is_lfs

SHA = "c0ffee" + "0" * 34
Handle = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; `answer` is the usual way to end it."""

    protocol_version = "HTTP/1.1"
    server: "Loopback"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers.items())))
        self.server.handle(self)

    def log_message(self, *args: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def answer_json(self, value: Any, **headers: str) -> None:
        self.answer(200, json.dumps(value).encode(), **headers)

    def redirect(self, location: str, status: int = 302) -> None:
        self.answer(status, Location=location)

    def hang_up(self) -> None:
        """Cut the connection so that the other side sees it at once."""
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class Loopback(ThreadingHTTPServer):
    """`seen` holds the path and headers of every request."""

    daemon_threads = True

    def __init__(self, handle: Handle) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.handle = handle
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *args: object) -> None:
        pass


@contextmanager
def serve(handle: Handle) -> Iterator[Loopback]:
    server = Loopback(handle)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class SmallHub:
    """Serves a folder as `org/tiny` in the Hub's read format; tests bend it by its attributes.

    `cut_after`: weights of that many bytes or more are cut there, `n_cuts` times; `lies` are
    bytes served in place of a file's; `extra` are entries added to the listing; `needs_token`;
    `files_at`: another host that LFS files are redirected to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lies: dict[str, bytes] = {}
        self.extra: list[dict[str, Any]] = []
        self.cut_after, self.n_cuts = 0, 0
        self.may_cut = False
        self.ignores_range = False
        self.needs_token = ""
        self.files_at = ""
        self.page_size = 0
        self.sha = SHA

    def __call__(self, request: Request) -> None:
        parts = urlsplit(request.path)
        path = unquote(parts.path)
        if self.needs_token and request.headers.get("Authorization") != (
            f"Bearer {self.needs_token}"
        ):
            request.answer(401)
        elif path in ("/api/models/org/tiny/revision/main", "/api/models/org/tiny/revision/v1/x"):
            request.answer_json({"id": "org/tiny", "sha": self.sha, "siblings": []})
        elif path == f"/api/models/org/tiny/tree/{self.sha}":
            self._tree(request, parts.query)
        elif path.startswith(f"/org/tiny/resolve/{self.sha}/"):
            self._file(request, path.removeprefix(f"/org/tiny/resolve/{self.sha}/"))
        else:
            request.answer(404)

    def _tree(self, request: Request, query: str) -> None:
        entries = [*map(self._entry, self._paths()), *self.extra]
        if not self.page_size:
            return request.answer_json(entries)
        start = int(query.rpartition("cursor=")[2]) if "cursor=" in query else 0
        end = start + self.page_size
        following = f"{request.path.partition('?')[0]}?recursive=true&cursor={end}"
        link = {"Link": f'<{following}>; rel="next"'} if end < len(entries) else {}
        return request.answer_json(entries[start:end], **link)

    def _paths(self) -> list[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def _entry(self, path: str) -> dict[str, Any]:
        data = (self.folder / path).read_bytes()
        oid = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        entry: dict[str, Any] = {"type": "file", "path": path, "size": len(data), "oid": oid}
        if is_lfs(path, len(data)):
            digest = hashlib.sha256(data).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 134}
        return entry

    def _file(self, request: Request, path: str) -> None:
        if self.files_at and path.endswith(".safetensors"):
            return request.redirect(f"{self.files_at}{request.path}")
        self.may_cut = path.endswith(".safetensors")
        return self.send_file(request, self.lies.get(path) or (self.folder / path).read_bytes())

    def send_file(self, request: Request, data: bytes) -> None:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        start = 0 if self.ignores_range else start
        body = data[start:]
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if self.may_cut and self.n_cuts and len(body) >= self.cut_after:
            self.n_cuts -= 1
            request.wfile.write(body[: self.cut_after])
            return request.hang_up()
        request.wfile.write(body)
        return None
