"""Abuse of what is otherwise allowed: replays, slowness, crowds, words that look like orders."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from registry.store import Store
from tests.hub.client import (
    HubClient,
    check_refused,
    exchange,
    header,
    regular,
    request_head,
    stored,
)
from tests.registry.builders import TOKENIZER

PICKLE = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."


def test_bad_content_that_came_by_lfs_is_refused(hub: HubClient, home: Path) -> None:
    hub.create()
    hub.upload(PICKLE)
    answer = hub.commit(header(), stored("model.safetensors", PICKLE))
    check_refused(answer, home, "content_refused")
    assert hub.tree().json() == []


def test_an_upload_url_works_once(hub: HubClient, home: Path) -> None:
    hub.create()
    (row,) = hub.batch(b"0123456789").json()["objects"]
    href = row["actions"]["upload"]["href"]
    assert httpx.put(href, content=b"0123456789").status_code == 200
    check_refused(httpx.put(href, content=b"0123456789"), home, "upload_refused")


def test_a_title_cannot_add_a_header(hub: HubClient, home: Path) -> None:
    hub.create()
    answer = hub.commit(header("a\r\nX-Evil: 1"), regular("a.txt", b"x"))
    assert answer.status_code == 200
    assert "x-evil" not in answer.headers
    assert hub.http.get("/api/models/team/tiny/commits/main").json()[0]["title"] == "a X-Evil: 1"


def test_a_slow_upload_is_given_up(
    hub: HubClient, url: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.hub.bodies.IDLE_S", 0.3)
    hub.create()
    (row,) = hub.batch(b"0123456789").json()["objects"]
    parts = urlsplit(row["actions"]["upload"]["href"])
    path = f"{parts.path}?{parts.query}"
    head = request_head("PUT", path, url, **{"Content-Length": "10"})
    assert exchange(url, head + b"0123").startswith(b"HTTP/1.1 408 ")
    assert not list(store.stagings.rglob("arriving-*"))


def test_only_so_many_uploads_arrive_at_once(
    hub: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.hub.uploads.MAX_AT_ONCE", 0)
    hub.create()
    answer = hub.commit(header(), regular("a.txt", b"x"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


def test_a_tokenizer_may_hold_any_word(hub: HubClient) -> None:
    hub.create()
    words = TOKENIZER | {"model": {"vocab": {"auto_map": 1, "../x": 2, "\u202e": 3}}}
    content = json.dumps(words).encode()
    assert hub.commit(header(), regular("tokenizer.json", content)).status_code == 200
