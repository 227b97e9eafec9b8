"""Raw requests as Hub clients send them, without a client library in between."""

import base64
import hashlib
import json
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

KEYS = {name: f"{name}.{'k' * 32}" for name in ("admin", "pusher", "reader", "predictor")}
Line = dict[str, Any]


def header(title: str = "Change", **more: Any) -> Line:
    return {"key": "header", "value": {"summary": title, "description": "", **more}}


def regular(path: str, content: bytes) -> Line:
    text = base64.b64encode(content).decode()
    return {"key": "file", "value": {"path": path, "encoding": "base64", "content": text}}


def stored(path: str, content: bytes, **changes: Any) -> Line:
    value = {"path": path, "algo": "sha256", "oid": sha256(content), "size": len(content)}
    return {"key": "lfsFile", "value": value | changes}


def deleted(path: str) -> Line:
    return {"key": "deletedFile", "value": {"path": path}}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def ndjson(lines: Iterable[Line]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


class HubClient:
    """What one client does with one model."""

    def __init__(self, http: httpx.Client, model: str = "team/tiny") -> None:
        self.http, self.model = http, model

    def create(self, name: str = "tiny", organization: str | None = "team") -> httpx.Response:
        body = {"name": name, "organization": organization, "type": "model"}
        return self.http.post("/api/repos/create", json=body)

    def preupload(self, *files: dict[str, Any], rev: str = "main", **more: Any) -> httpx.Response:
        return self.http.post(
            f"/api/models/{self.model}/preupload/{rev}", json={"files": list(files), **more}
        )

    def commit(self, *lines: Line, rev: str = "main", query: str = "") -> httpx.Response:
        return self.post_commit(ndjson(lines), rev=rev, query=query)

    def post_commit(self, body: bytes, *, rev: str = "main", query: str = "") -> httpx.Response:
        return self.http.post(
            f"/api/models/{self.model}/commit/{rev}{query}",
            content=body,
            headers={"Content-Type": "application/x-ndjson"},
        )

    def batch(self, *contents: bytes, transfers: Iterable[str] = ("basic",)) -> httpx.Response:
        objects = [{"oid": sha256(content), "size": len(content)} for content in contents]
        return self.batch_of(objects, transfers=list(transfers))

    def batch_of(self, objects: Any, **more: Any) -> httpx.Response:
        body = {"operation": "upload", "transfers": ["basic"], "objects": objects, **more}
        return self.http.post(f"/{self.model}.git/info/lfs/objects/batch", json=body)

    def upload(self, content: bytes) -> None:
        """Send bytes by LFS, unless they are here."""
        (row,) = self.batch(content).json()["objects"]
        if "actions" in row:
            href = row["actions"]["upload"]["href"]
            answer = httpx.put(href, content=content)
            assert answer.status_code == 200, answer.text

    def get(self, path: str, rev: str = "main", **headers: str) -> httpx.Response:
        return self.http.get(f"/{self.model}/resolve/{rev}/{path}", headers=headers)

    def head(self, path: str, rev: str = "main", **headers: str) -> httpx.Response:
        return self.http.head(f"/{self.model}/resolve/{rev}/{path}", headers=headers)

    def tree(self, rev: str = "main", path: str = "", **query: str) -> httpx.Response:
        suffix = f"/{path}" if path else ""
        return self.http.get(f"/api/models/{self.model}/tree/{rev}{suffix}", params=query)


def check_refused(answer: httpx.Response, home: Path, code: str = "") -> None:
    """An answer that says what is wrong, and nothing of the server."""
    assert 400 <= answer.status_code < 500, answer.text
    assert set(answer.json()) == {"error"}
    assert len(answer.json()["error"]) > 10
    assert str(home) not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-error-message"].isprintable()
    assert "x-evil" not in answer.headers
    if code:
        assert answer.headers["x-error-code"] == code


def request_head(method: str, path: str, url: str, **headers: str) -> bytes:
    fields = {
        "Host": url.removeprefix("http://"),
        "Authorization": f"Bearer {KEYS['pusher']}",
        **headers,
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def exchange(url: str, request: bytes) -> bytes:
    """Send raw bytes and return the beginning of what comes back."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65_536)
