"""Requests that mean harm, or are merely broken: each is refused in words, and nothing changes."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.test import override_settings

from registry.hub import ndjson
from registry.models import Blob, Commit, RegisteredModel, Version
from tests.hub.client import (
    KEYS,
    HubClient,
    check_refused,
    exchange,
    header,
    regular,
    request_head,
    sha256,
    stored,
)
from tests.hub.conftest import serving

PICKLE = b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
ZIP = b"PK\x03\x04" + b"\0" * 60
BIG_HEADER = (2**40).to_bytes(8, "little") + b"{}"
OTHERS = b"what another model holds\n" * 3


@pytest.fixture(scope="module")
def attacked(
    tmp_path_factory: pytest.TempPathFactory, django_db_setup: None, django_db_blocker: Any
) -> Iterator[tuple[str, Path]]:
    """A server with a model to attack, beside one that holds a secret: its URL, its home.

    One for all tests here, since what is refused changes nothing.
    """
    home = tmp_path_factory.mktemp("attacked") / "home"
    with django_db_blocker.unblock(), override_settings(BELLWETHER_HOME=home), serving() as url:
        headers = {"Authorization": f"Bearer {KEYS['pusher']}"}
        with httpx.Client(base_url=url, headers=headers, timeout=30) as http:
            client = HubClient(http, "team/other")
            client.create("other")
            client.upload(OTHERS)
            client.commit(header(), stored("secret.txt", OTHERS))
            client.create()
        yield url, home
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=False)


@pytest.fixture
def url(attacked: tuple[str, Path]) -> str:
    return attacked[0]


@pytest.fixture(autouse=True)
def home(attacked: tuple[str, Path], settings: Any, django_db_blocker: Any) -> Iterator[Path]:
    """The server's home; what a test leaves there of files and rows must be what it found."""
    settings.BELLWETHER_HOME = attacked[1]
    with django_db_blocker.unblock():
        before = state(attacked[1])
        yield attacked[1]
        assert state(attacked[1]) == before


@pytest.fixture
def made(hub: HubClient) -> Iterator[HubClient]:
    """A client of the model that is attacked, which is well afterwards."""
    yield hub
    assert hub.http.get("/api/models/team/tiny").status_code == 200


def state(home: Path) -> object:
    """All that a refused request must leave alone."""
    outside = sorted(str(path) for path in home.parent.iterdir())
    kept = sorted(path.name for path in (home / "artifacts").rglob("*") if path.is_file())
    rows = [table.objects.count() for table in (RegisteredModel, Version, Commit, Blob)]
    return outside, sorted(path.name for path in home.iterdir()), kept, rows


NAMES: dict[str, Any] = {
    "empty": "",
    "dot": ".",
    "two dots": "..",
    "dots inside": "a..b",
    "dashes": "a--b",
    "leading dash": "-a",
    "trailing dot": "a.",
    "git suffix": "a.git",
    "two slashes": "a/b/c",
    "not ASCII": "é",
    "blank": "a b",
    "NUL": "a\0b",
    "header injection": "a\r\nX-Evil: 1",
    "too long": "x" * 97,
    "number": 7,
    "list": ["a"],
    "backslash": "..\\a",
    "percent": "%2e%2e",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_model_name_is_refused(made: HubClient, home: Path, name: str) -> None:
    body = {"name": NAMES[name], "organization": "team"}
    check_refused(made.http.post("/api/repos/create", json=body), home)


@pytest.mark.parametrize("namespace", ["admin", "api", "static", "_cas", "Datasets", "..", "a/b"])
def test_a_reserved_namespace_is_refused(made: HubClient, home: Path, namespace: str) -> None:
    check_refused(made.create("a", organization=namespace), home)


PATHS = {
    "parent": "../x.txt",
    "parents inside": "a/../../x.txt",
    "absolute": "/etc/x.txt",
    "empty part": "a//b.txt",
    "dot part": "./a.txt",
    "backslash": "..\\x.txt",
    "drive": "C:x.txt",
    "device": "con.txt",
    "trailing blank": "a.txt ",
    "git's folder": ".git/config.json",
    "the cache's folder": "a/.cache/x.json",
    "NUL": "x\0.txt",
    "line end": "a\r\nX-Evil: 1.txt",
    "right to left": "a\u202etxt.txt",
    "not composed": "A\u0301.txt",
    "long part": "x" * 260 + ".txt",
    "deep": "a/" * 20 + "x.txt",
    "empty": "",
    "a folder": "a/",
    "pickle": "pytorch_model.bin",
    "torch": "x.pt",
    "python": "modeling.py",
    "numpy": "x.npy",
    "hdf5": "tf_model.h5",
    "no suffix": "weights",
    "two suffixes": "x.safetensors.pkl",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_bad_path_is_refused_before_bytes_move(made: HubClient, home: Path, name: str) -> None:
    row = {"path": PATHS[name], "size": 3, "sample": "YWJj"}
    check_refused(made.preupload({"path": "good.txt", "size": 1, "sample": ""}, row), home)


@pytest.mark.parametrize("name", PATHS)
def test_a_bad_path_is_refused_in_a_commit(made: HubClient, home: Path, name: str) -> None:
    check_refused(
        made.commit(header(), regular("good.txt", b"x"), regular(PATHS[name], b"abc")), home
    )


CONTENTS = {
    "pickle as JSON": ("config.json", PICKLE),
    "zip as text": ("notes.txt", ZIP),
    "script as text": ("notes.txt", b"#!/bin/sh\nid"),
    "broken JSON": ("config.json", b"{"),
    "deep JSON": ("x.json", b"[" * 100_000),
    "remote code": ("config.json", b'{"auto_map": {"AutoModel": "x--y.Z"}}'),
    "not UTF-8": ("a.txt", b"\xff\xfe"),
    "NUL": ("a.txt", b"a\0b"),
    "huge header": ("model.safetensors", BIG_HEADER),
    "pickle as weights": ("model.safetensors", PICKLE),
    "short weights": ("model.safetensors", b"{}"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_bad_content_is_refused(made: HubClient, home: Path, name: str) -> None:
    path, content = CONTENTS[name]
    check_refused(made.commit(header(), regular(path, content)), home, "content_refused")


@pytest.mark.parametrize("sample", [PICKLE, ZIP, b"\x7fELF", b"\x93NUMPY"])
def test_the_first_bytes_give_a_file_away(made: HubClient, home: Path, sample: bytes) -> None:
    row = {
        "path": "model.safetensors",
        "size": 900,
        "sample": base64.b64encode(sample).decode(),
    }
    check_refused(made.preupload(row), home, "content_refused")


@pytest.mark.parametrize(
    "paths", [("a.txt", "A.txt"), ("a.txt/b.txt", "a.txt"), ("x/a.txt", "X/b.txt")]
)
def test_paths_that_collide_are_refused(
    made: HubClient, home: Path, paths: tuple[str, str]
) -> None:
    rows = [{"path": path, "size": 1, "sample": ""} for path in paths]
    check_refused(made.preupload(*rows), home, "invalid_path")


H = json.dumps(header()).encode() + b"\n"
COMMITS: dict[str, bytes] = {
    "empty": b"",
    "blank lines": b"\n\n\n",
    "not JSON": b"hello\n",
    "not UTF-8": b"\xff\n",
    "a list": b"[]\n",
    "no key": b'{"value": {}}\n',
    "no value": b'{"key": "header"}\n',
    "unknown key": H + b'{"key": "rm", "value": {"path": "a.txt"}}',
    "file first": json.dumps(regular("a.txt", b"x")).encode() + b"\n" + H,
    "two headers": H + H,
    "title is a number": b'{"key": "header", "value": {"summary": 7}}',
    "parent is a path": b'{"key": "header", "value": {"summary": "s", "parentCommit": "../x"}}',
    "not base64": H + b'{"key": "file", "value": {"path": "a.txt", "content": "%", '
    b'"encoding": "base64"}}',
    "odd encoding": H + b'{"key": "file", "value": {"path": "a.txt", "content": "", '
    b'"encoding": "zip"}}',
    "content is a list": H + b'{"key": "file", "value": {"path": "a.txt", "content": []}}',
    "half a character": H + b'{"key": "file", "value": {"path": "\\ud800.txt", "content": ""}}',
    "deep": H + b'{"key": "file", "value": ' + b'{"a":' * 20_000,
    "upper case oid": H + json.dumps(stored("a.txt", OTHERS, oid=sha256(OTHERS).upper())).encode(),
    "short oid": H + json.dumps(stored("a.txt", b"", oid="../../etc")).encode(),
    "other hash": H + json.dumps(stored("a.txt", OTHERS, algo="md5")).encode(),
    "negative size": H + json.dumps(stored("a.txt", OTHERS, size=-1)).encode(),
    "true as size": H + json.dumps(stored("a.txt", OTHERS, size=True)).encode(),
    "unknown bytes": H + json.dumps(stored("a.txt", b"never sent")).encode(),
    "another model's bytes": H + json.dumps(stored("a.txt", OTHERS)).encode(),
    "another model's bytes, copied": H + json.dumps(stored("a.txt", OTHERS, size=None)).encode(),
    "delete what is not there": H + b'{"key": "deletedFile", "value": {"path": "none.txt"}}',
    "delete outside": H + b'{"key": "deletedFolder", "value": {"path": "../.."}}',
    "delete all": H + b'{"key": "deletedFolder", "value": {"path": "/"}}',
    "control character": b'{"key": "header", "value": {"summary": "a\\u0007b"}}\n'
    + json.dumps(regular("a.txt", b"x")).encode(),
    "NUL in the message": b'{"key": "header", "value": {"summary": "a", "description": "\\u0000"}}'
    b"\n" + json.dumps(regular("a.txt", b"x")).encode(),
    "long title": b'{"key": "header", "value": {"summary": "'
    + b"a" * 600
    + b'"}}\n'
    + json.dumps(regular("a.txt", b"x")).encode(),
}


@pytest.mark.parametrize("name", COMMITS)
def test_a_broken_commit_is_refused(made: HubClient, home: Path, name: str) -> None:
    check_refused(made.post_commit(COMMITS[name]), home)


@pytest.mark.parametrize(
    ("limit", "value", "code"),
    [
        ("MAX_LINE_BYTES", 200, "body_too_large"),
        ("MAX_LINES", 2, "body_too_large"),
        ("MAX_REGULAR_BYTES", 100, "body_too_large"),
    ],
)
def test_a_commit_has_bounds(
    made: HubClient, home: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, code: str
) -> None:
    monkeypatch.setattr(ndjson, limit, value)
    lines = [header(), regular("a.txt", b"x" * 150), regular("b.txt", b"y")]
    check_refused(made.commit(*lines), home, code)


def test_a_commit_too_large_in_all_is_refused_before_it_is_read(
    made: HubClient, home: Path, url: str
) -> None:
    head = request_head(
        "POST", "/api/models/team/tiny/commit/main", url, **{"Content-Length": str(2 * 1024**3)}
    )
    assert exchange(url, head).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("rev", ["v1", "none", "0" * 40, "refs%2Ftags%2Fx", "main%2F..", "%2e%2e"])
def test_a_commit_to_what_is_no_branch_is_refused(made: HubClient, home: Path, rev: str) -> None:
    check_refused(made.commit(header(), regular("a.txt", b"x"), rev=rev), home, "RevisionNotFound")


BATCHES: dict[str, Any] = {
    "no objects": [],
    "a dictionary": {},
    "not objects": ["a"],
    "no size": [{"oid": "0" * 64}],
    "size as text": [{"oid": "0" * 64, "size": "1"}],
    "negative": [{"oid": "0" * 64, "size": -1}],
    "nothing": [{"oid": "0" * 64, "size": 0}],
    "too large": [{"oid": "0" * 64, "size": 2**60}],
    "a path": [{"oid": "../../../etc/passwd", "size": 1}],
    "upper case": [{"oid": "A" * 64, "size": 1}],
    "two sizes": [{"oid": "0" * 64, "size": 1}, {"oid": "0" * 64, "size": 2}],
    "too many": [{"oid": f"{n:064x}", "size": 1} for n in range(1_001)],
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_broken_batch_is_refused(made: HubClient, home: Path, name: str) -> None:
    check_refused(made.batch_of(BATCHES[name]), home)


@pytest.mark.parametrize(
    "changes", [{"operation": "download"}, {"operation": None}, {"hash_algo": "md5"}]
)
def test_other_ways_of_lfs_are_refused(
    made: HubClient, home: Path, changes: dict[str, Any]
) -> None:
    check_refused(made.batch_of([{"oid": "0" * 64, "size": 1}], **changes), home)


def test_stored_bytes_are_not_told_to_who_does_not_hold_them(made: HubClient) -> None:
    (row,) = made.batch(OTHERS).json()["objects"]
    assert "actions" in row
    verify = "/team/tiny.git/info/lfs/objects/verify"
    body = {"oid": sha256(OTHERS), "size": len(OTHERS)}
    assert made.http.post(verify, json=body).status_code == 422


@pytest.fixture
def href(made: HubClient) -> str:
    """Where 10 bytes of a file may be sent."""
    (row,) = made.batch(b"0123456789").json()["objects"]
    return str(row["actions"]["upload"]["href"])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("no signature", lambda h: h.partition("?")[0]),
        ("empty signature", lambda h: h.partition("sig=")[0] + "sig="),
        ("cut signature", lambda h: h[:-3]),
        ("other claims", lambda h: h.replace("sig=e", "sig=f")),
        ("other part", lambda h: h.replace("/0?", "/1?")),
        ("part left out", lambda h: h.replace("/0?", "/?")),
        ("other upload", lambda h: h.replace(h.split("/_lfs/")[1][:32], "0" * 32)),
        ("not a uuid", lambda h: h.replace(h.split("/_lfs/")[1][:32], "..%2f..%2f")),
        ("signature twice over", lambda h: h + h.partition("sig=")[2]),
    ],
)
def test_a_forged_upload_url_is_refused(
    made: HubClient, home: Path, href: str, name: str, change: Callable[[str], str]
) -> None:
    check_refused(httpx.put(change(href), content=b"0123456789"), home)


def test_an_expired_upload_url_is_refused(
    made: HubClient, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.hub.lfs.BASE_LIFE_S", -10)
    (row,) = made.batch(b"0123456789").json()["objects"]
    answer = httpx.put(row["actions"]["upload"]["href"], content=b"0123456789")
    check_refused(answer, home, "upload_refused")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"012345678", "upload_mismatch"),
        (b"01234567890", "upload_mismatch"),
        (b"9876543210", "upload_mismatch"),
        (b"", "upload_mismatch"),
    ],
)
def test_bytes_that_were_not_announced_are_refused(
    made: HubClient, home: Path, href: str, content: bytes, code: str
) -> None:
    check_refused(httpx.put(href, content=content), home, code)


def test_a_body_without_a_length_is_refused(made: HubClient, home: Path, href: str) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"0123456789"

    check_refused(httpx.put(href, content=pieces()), home, "length_required")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"name": "\\ud800", "organization": "team"}',
        b"[" * 50_000,
        b'{"name": ' + b"9" * 5_000 + b"}",
        b"\x1f\x8b\x08\0",
        b'{"name": "a", "organization": {"$ne": ""}}',
        b'{"name": "a", "organization": "team", "type": "dataset"}',
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused(
    made: HubClient, home: Path, body: bytes
) -> None:
    check_refused(made.http.post("/api/repos/create", content=body), home)


@pytest.mark.parametrize(
    "path",
    [
        "/api/models/team/none",
        "/api/models/team",
        "/api/models/a--b/c",
        "/api/models/%00/x",
        "/api/models/team/tiny%0d%0aX-Evil:1",
        "/api/models/team/tiny/revision/%00",
        "/api/models/team/tiny/revision/%ff",
        "/api/models/team/tiny/revision/" + "x" * 5_000,
        "/api/models/team/tiny/tree/main/%2e%2e%2f%2e%2e",
        "/team/tiny/resolve/main/..%2f..%2fsecret.key",
        "/team/tiny/resolve/main/%2fetc%2fpasswd",
        "/team/tiny/resolve/main/",
        "/team/tiny/resolve/..%2f..%2f/x",
        "/team/tiny/resolve/main/%0d%0aX-Evil:%201",
        "/team%2ftiny/tiny/resolve/main/x",
        "/api/models?limit=-1",
        "/api/models?limit=9999999999999",
        "/api/models?author=%00",
        "/api/models?search=" + "x" * 600,
    ],
)
def test_a_path_that_leads_nowhere_is_refused(made: HubClient, home: Path, path: str) -> None:
    check_refused(made.http.get(path), home)


@pytest.mark.parametrize("name", ["..", "-x", "a b", "x.lock", "HEAD", "v1", "prod", "é", "0" * 40])
def test_a_bad_branch_name_is_refused(made: HubClient, home: Path, name: str) -> None:
    check_refused(made.http.post(f"/api/models/team/tiny/branch/{name}", json={}), home)


@pytest.mark.parametrize("tag", ["..", "prod", "previous", "x y", "v01x ", "main", "", None, 3])
def test_a_bad_tag_is_refused(made: HubClient, home: Path, tag: Any) -> None:
    check_refused(made.http.post("/api/models/team/tiny/tag/main", json={"tag": tag}), home)


WRITES = [
    ("POST", "/api/repos/create"),
    ("DELETE", "/api/repos/delete"),
    ("POST", "/api/repos/move"),
    ("PUT", "/api/models/team/tiny/settings"),
    ("POST", "/api/models/team/tiny/preupload/main"),
    ("POST", "/api/models/team/tiny/commit/main"),
    ("POST", "/api/models/team/tiny/branch/x"),
    ("DELETE", "/api/models/team/tiny/branch/main"),
    ("POST", "/api/models/team/tiny/tag/main"),
    ("POST", "/team/tiny.git/info/lfs/objects/batch"),
    ("POST", "/team/tiny.git/info/lfs/objects/verify"),
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_who_may_only_read_does_not_write(
    made: HubClient, connect: Callable[..., HubClient], home: Path, method: str, path: str
) -> None:
    check_refused(connect("reader").http.request(method, path, json={}), home, "scope_missing")
    check_refused(connect(None).http.request(method, path, json={}), home, "RepoNotFound")


@pytest.mark.parametrize(
    "path", ["/api/models", "/api/models/team/tiny", "/team/tiny/resolve/main/a.txt"]
)
def test_who_may_only_predict_does_not_read(
    made: HubClient, connect: Callable[..., HubClient], home: Path, path: str
) -> None:
    check_refused(connect("predictor").http.get(path), home, "scope_missing")


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1@evil", "a b", "localhost:1:2"])
def test_a_foreign_host_is_refused(made: HubClient, url: str, host: str) -> None:
    head = request_head("GET", "/api/models", url, Host=host)
    answer = exchange(url, head)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"evil" not in answer
