"""The service that runs inference endpoints, as far as the Hub's own client asks it.

An endpoint is pending for as many looks as a test says, then it runs at the address that the test
gives; paused, failed and deleted as the client asks.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_management"


class FakeService:
    """`endpoints` by namespace and name; `asked` is every (method, path, body)."""

    def __init__(self, url: str, *, n_pending: int = 2) -> None:
        self.endpoint_url, self.n_pending = url, n_pending
        self.token = TOKEN
        self.endpoints: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.fails_with: tuple[int, Any] | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

            def _do(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                is_known = self.headers.get("Authorization") == f"Bearer {outer.token}"
                if is_known:
                    status, reply = outer.answer(self.command, self.path, body)
                else:
                    status, reply = 401, {"error": "Invalid credentials"}
                data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = do_PUT = _do

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v2"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.asked.append((method, path, body))
        if self.fails_with is not None:
            return self.fails_with
        parts = path.removeprefix("/v2/endpoint/").split("/")
        key, act = "/".join(parts[:2]), parts[2] if len(parts) > 2 else ""
        if method == "POST" and len(parts) == 1:
            return self._create(f"{parts[0]}/{body['name']}", body)
        found = self.endpoints.get(key)
        if found is None:
            return 404, {"error": f"Endpoint {key} not found"}
        if method == "DELETE":
            del self.endpoints[key]
            return 200, {}
        if act == "pause":
            self._move(found, "paused")
        elif act == "resume":
            if found["status"]["state"] == "running":
                return 400, {"error": "Endpoint is already running"}
            found["looks"] = 0
            self._move(found, "pending")
        elif method == "GET":
            self._look(found)
        return 200, {name: value for name, value in found.items() if name != "looks"}

    def _create(self, key: str, body: Any) -> tuple[int, Any]:
        if key in self.endpoints:
            return 409, {"error": "Endpoint already exists"}
        if body["provider"]["region"] == "the-moon":
            return 400, {"error": "Region the-moon is not available"}
        self.endpoints[key] = {
            "name": body["name"],
            "type": body["type"],
            "model": body["model"],
            "compute": body["compute"],
            "provider": body["provider"],
            "healthRoute": "/health",
            "status": {
                "state": "pending",
                "createdAt": "2026-01-01T00:00:00.000Z",
                "updatedAt": "2026-01-01T00:00:00.000Z",
            },
            "looks": 0,
        }
        return 200, {k: v for k, v in self.endpoints[key].items() if k != "looks"}

    def _look(self, found: dict[str, Any]) -> None:
        found["looks"] += 1
        if found["status"]["state"] in ("pending", "initializing"):
            is_up = found["looks"] > self.n_pending
            self._move(found, "running" if is_up else "initializing")

    def _move(self, found: dict[str, Any], state: str) -> None:
        found["status"]["state"] = state
        found["status"].pop("url", None)
        if state == "running":
            found["status"]["url"] = self.endpoint_url

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def fake_service(url: str, *, n_pending: int = 2) -> Iterator[FakeService]:
    made = FakeService(url, n_pending=n_pending)
    try:
        yield made
    finally:
        made.stop()
