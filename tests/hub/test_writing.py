"""Commits, names, and the bytes that they are made of."""

import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from registry import services
from registry.hub import app, lfs
from registry.models import Commit, Lease, RegisteredModel, Upload, Version
from registry.services.uploads import clear_uploads, upload_folder
from registry.store import Store
from tests.hub.client import HubClient, deleted, header, regular, sha256, stored

TEXT = b"some notes\n" * 10


@pytest.fixture
def made(hub: HubClient) -> HubClient:
    """An empty model."""
    assert hub.create().status_code == 200
    return hub


def push(hub: HubClient, folder: Path) -> httpx.Response:
    """Commit every file of a model directory."""
    lines = [header("Push")]
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        if path.suffix == ".safetensors":
            hub.upload(content)
            lines.append(stored(path.name, content))
        else:
            lines.append(regular(path.name, content))
    return hub.commit(*lines)


def test_a_model_is_made_once_and_named_in_any_case(hub: HubClient, url: str) -> None:
    assert hub.create().json()["url"] == f"{url}/team/tiny"
    for name in ("tiny", "TINY"):
        answer = hub.create(name)
        assert (answer.status_code, answer.json()["url"]) == (409, f"{url}/team/tiny")


def test_a_model_without_a_namespace_gets_the_keys(hub: HubClient, url: str) -> None:
    assert hub.create("mine", organization=None).json()["url"] == f"{url}/pusher/mine"


def test_public_is_taken_with_a_warning(hub: HubClient) -> None:
    body = {"name": "a", "organization": "team", "visibility": "public"}
    answer = hub.http.post("/api/repos/create", json=body)
    assert answer.headers["x-hf-warning"].startswith("visibility; ")
    answer = hub.http.put("/api/models/team/a/settings", json={"visibility": "private"})
    assert (answer.status_code, "x-hf-warning" in answer.headers) == (200, False)


def test_a_push_becomes_a_version_by_its_tag(
    made: HubClient, url: str, model_dir: Path, store: Store
) -> None:
    answer = push(made, model_dir).json()
    assert answer["success"] is True
    assert answer["commitUrl"] == f"{url}/team/tiny/commit/{answer['commitOid']}"
    tag = made.http.post("/api/models/team/tiny/tag/main", json={"tag": "v7", "message": "good"})
    assert tag.status_code == 200, tag.text
    version = Version.objects.get(number=7)
    assert store.view(version.digest).is_dir()
    assert version.commit is not None
    assert version.commit.oid == answer["commitOid"]
    again = made.http.post("/api/models/team/tiny/tag/main", json={"tag": "v7"})
    assert (again.status_code, again.headers["x-error-code"]) == (409, "ref_exists")
    gone = made.http.delete("/api/models/team/tiny/tag/v7")
    assert gone.status_code == 422


def test_half_a_model_is_committed_and_not_sealed(made: HubClient) -> None:
    assert made.commit(header(), regular("config.json", b"{}")).status_code == 200
    answer = made.http.post("/api/models/team/tiny/tag/main", json={"tag": "v1"})
    assert (answer.status_code, answer.headers["x-error-code"]) == (422, "content_refused")
    assert not Version.objects.exists()


def test_a_commit_that_is_sent_twice_is_made_once(made: HubClient) -> None:
    parent = made.http.get("/api/models/team/tiny").json()["sha"]
    lines = [header("Once", parentCommit=parent), regular("a.txt", TEXT)]
    first, second = made.commit(*lines).json(), made.commit(*lines).json()
    assert first["commitOid"] == second["commitOid"]
    assert Commit.objects.count() == 2


def test_a_deletion_that_is_sent_twice_is_made_once(made: HubClient) -> None:
    made.commit(header(), regular("x/a.txt", TEXT), regular("b.txt", TEXT))
    folder = {"key": "deletedFolder", "value": {"path": "x/"}}
    lines = [header("Tidy"), deleted("b.txt"), folder, regular("c.txt", TEXT)]
    first, second = made.commit(*lines), made.commit(*lines)
    assert first.json()["commitOid"] == second.json()["commitOid"]
    other = made.commit(header("Another"), deleted("b.txt"))
    assert (other.status_code, other.headers["x-error-code"]) == (404, "EntryNotFound")


def test_a_commit_on_an_old_parent_is_refused(made: HubClient) -> None:
    parent = made.http.get("/api/models/team/tiny").json()["sha"]
    made.commit(header(), regular("a.txt", TEXT))
    answer = made.commit(header(parentCommit=parent), regular("b.txt", TEXT))
    assert (answer.status_code, answer.headers["x-error-code"]) == (412, "stale_parent")


def test_what_comes_later_in_a_commit_wins(made: HubClient) -> None:
    made.commit(header(), regular("x/a.txt", b"1"), regular("x/b.txt", b"1"))
    made.commit(
        header(),
        regular("x/a.txt", b"2"),
        regular("x/a.txt", b"3"),
        deleted("x/b.txt"),
        regular("x/b.txt", b"4"),
        regular("c.txt", b"5"),
    )
    found = {row["path"]: row["size"] for row in made.tree(recursive="true").json()}
    assert set(found) == {"x", "x/a.txt", "x/b.txt", "c.txt"}
    assert made.get("x/a.txt").content == b"3"
    assert made.get("x/b.txt").content == b"4"


def test_a_branch_holds_its_own_files(made: HubClient) -> None:
    branch = "/api/models/team/tiny/branch/feature%2Fx"
    assert made.http.post(branch, json={}).status_code == 200
    assert made.http.post(branch).status_code == 409
    assert made.commit(header(), regular("a.txt", TEXT), rev="feature%2Fx").status_code == 200
    assert made.get("a.txt", rev="feature%2Fx").content == TEXT
    assert made.get("a.txt").status_code == 404
    assert made.http.delete(branch).status_code == 200
    assert made.get("a.txt", rev="feature%2Fx").headers["x-error-code"] == "RevisionNotFound"


def test_preupload_says_how_and_whether(made: HubClient) -> None:
    made.commit(header(), regular("a.txt", TEXT))
    answer = made.preupload(
        {"path": "a.txt", "size": len(TEXT), "sample": ""},
        {"path": "model.safetensors", "size": 10, "sample": ""},
        {"path": "big.txt", "size": 6 * 1024**2, "sample": ""},
        {"path": ".gitattributes", "size": 9, "sample": ""},
        gitIgnore="*.tmp",
    )
    rows = {row["path"]: row for row in answer.json()["files"]}
    assert [rows[path]["uploadMode"] for path in rows] == ["regular", "lfs", "lfs", "regular"]
    assert [rows[path]["shouldIgnore"] for path in rows] == [False, False, False, True]
    tree = {row["path"]: row["oid"] for row in made.tree().json()}
    assert rows["a.txt"]["oid"] == tree["a.txt"]


def test_an_object_is_sent_once_for_a_model_and_again_for_another(
    made: HubClient, store: Store
) -> None:
    made.upload(TEXT)
    assert store.blob(sha256(TEXT)).read_bytes() == TEXT
    assert store.blob(sha256(TEXT)).stat().st_mode & 0o777 == 0o444
    (row,) = made.batch(TEXT).json()["objects"]
    assert "actions" not in row
    made.create("other")
    made.model = "team/other"
    (row,) = made.batch(TEXT).json()["objects"]
    assert row["actions"]["upload"]["href"].startswith(str(made.http.base_url))
    assert "_lfs" in row["actions"]["upload"]["href"]


def test_being_present_holds_the_object(made: HubClient) -> None:
    made.upload(TEXT)
    made.commit(header(), stored("a.txt", TEXT))
    Lease.objects.all().delete()
    assert made.batch(TEXT).json()["objects"] == [{"oid": sha256(TEXT), "size": len(TEXT)}]
    assert Lease.objects.get().blob_id == sha256(TEXT)


def test_an_upload_is_verified(made: HubClient) -> None:
    body = {"oid": sha256(TEXT), "size": len(TEXT)}
    verify = "/team/tiny.git/info/lfs/objects/verify"
    assert made.http.post(verify, json=body).status_code == 422
    made.upload(TEXT)
    assert made.http.post(verify, json=body).status_code == 200
    assert made.http.post(verify, json=body | {"size": 1}).status_code == 422


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> int:
    """Parts small enough for tests."""
    monkeypatch.setattr(lfs, "PART_ABOVE_BYTES", 1_000)
    monkeypatch.setattr(lfs, "PART_BYTES", 400)
    return 400


def open_multipart(hub: HubClient, content: bytes) -> tuple[str, dict[str, str]]:
    answer = hub.batch(content, transfers=["basic", "multipart"]).json()
    assert answer["transfer"] == "multipart"
    action = answer["objects"][0]["actions"]["upload"]
    urls = {name: url for name, url in action["header"].items() if name.isdigit()}
    assert action["header"]["chunk_size"] == "400"
    return action["href"], urls


def send_parts(content: bytes, urls: dict[str, str], size: int) -> list[dict[str, Any]]:
    done = []
    for n, name in enumerate(sorted(urls)):
        answer = httpx.put(urls[name], content=content[n * size : (n + 1) * size])
        assert answer.status_code == 200, answer.text
        done.append({"partNumber": n + 1, "etag": answer.headers["etag"]})
    return done


def test_a_large_object_comes_in_parts(made: HubClient, parts: int, store: Store) -> None:
    content = bytes(range(256)) * 5
    href, urls = open_multipart(made, content)
    assert len(urls) == 4
    done = send_parts(content, urls, parts)
    send_parts(content, urls, parts)
    answer = httpx.post(href, json={"oid": sha256(content), "parts": done})
    assert answer.status_code == 200, answer.text
    assert store.blob(sha256(content)).read_bytes() == content
    assert not list(store.stagings.iterdir())
    replay = httpx.post(href, json={"oid": sha256(content), "parts": done})
    assert replay.status_code == 403


def test_missing_and_wrong_parts_can_be_mended(made: HubClient, parts: int, store: Store) -> None:
    content = b"ab" * 600
    href, urls = open_multipart(made, content)
    body = {"oid": sha256(content), "parts": [{"partNumber": n, "etag": "x"} for n in (1, 2, 3)]}
    assert "part 1 has not arrived" in httpx.post(href, json=body).json()["error"]
    send_parts(b"x" * 1200, urls, parts)
    assert "sha256" in httpx.post(href, json=body).json()["error"]
    assert not store.blob(sha256(content)).exists()
    send_parts(content, urls, parts)
    assert httpx.post(href, json=body).status_code == 200


def test_a_very_large_object_comes_in_larger_parts(
    made: HubClient, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lfs, "MAX_PARTS", 3)
    answer = made.batch(b"x" * 4_000, transfers=["multipart"]).json()
    head = answer["objects"][0]["actions"]["upload"]["header"]
    assert sorted(head) == ["00001", "00002", "00003", "chunk_size"]
    assert head["chunk_size"] == "1334"


def test_a_client_that_asks_for_basic_only_gets_basic(made: HubClient, parts: int) -> None:
    answer = made.batch(b"x" * 2_000).json()
    assert answer["transfer"] == "basic"
    assert "header" not in answer["objects"][0]["actions"]["upload"]


def test_late_uploads_are_forgotten_with_their_bytes(made: HubClient, parts: int) -> None:
    content = b"y" * 1_200
    _, urls = open_multipart(made, content)
    httpx.put(urls["00001"], content=content[:400])
    upload = Upload.objects.get()
    assert upload_folder(upload.pk).is_dir()
    Upload.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert httpx.put(urls["00002"], content=content[400:800]).status_code == 403
    clear_uploads()
    assert not upload_folder(upload.pk).exists()
    assert not Upload.objects.exists()


def test_a_body_that_breaks_off_leaves_nothing_and_can_be_sent_again(
    made: HubClient, store: Store
) -> None:
    content = b"z" * 3_000_000
    (row,) = made.batch(content).json()["objects"]
    href = row["actions"]["upload"]["href"]

    def half() -> Any:
        yield content[:1_500_000]
        raise ConnectionError("cut")

    with pytest.raises(ConnectionError):
        httpx.put(href, content=half(), headers={"Content-Length": str(len(content))})
    deadline = time.monotonic() + 10
    while list(store.stagings.rglob("arriving-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(store.stagings.rglob("arriving-*"))
    assert httpx.put(href, content=content).status_code == 200


def test_a_full_disk_is_said_before_bytes_move(
    made: HubClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.store.SPARE_BYTES", 2**62)
    answer = made.batch(TEXT)
    assert (answer.status_code, answer.headers["x-error-code"]) == (507, "store_full")
    assert not Upload.objects.exists()


def test_only_an_admin_deletes_a_model(
    made: HubClient, connect: Callable[..., HubClient], tiny_body: dict[str, str]
) -> None:
    def delete(client: HubClient) -> httpx.Response:
        return client.http.request("DELETE", "/api/repos/delete", json=tiny_body)

    assert delete(made).status_code == 403
    assert delete(connect("admin")).status_code == 200
    assert not RegisteredModel.objects.exists()
    assert delete(connect("admin")).headers["x-error-code"] == "RepoNotFound"


@pytest.fixture
def tiny_body() -> dict[str, str]:
    return {"name": "tiny", "organization": "team", "type": "model"}


def test_a_live_model_is_not_deleted(
    connect: Callable[..., HubClient], tiny: str, tiny_body: dict[str, str]
) -> None:
    services.promote(tiny, 1, actor="alice")
    answer = connect("admin").http.request("DELETE", "/api/repos/delete", json=tiny_body)
    assert (answer.status_code, answer.headers["x-error-code"]) == (409, "model_is_live")


def test_a_card_is_linted(hub: HubClient) -> None:
    body = {"content": "---\nlicense: mit\n---\n# Card", "repoType": "model"}
    answer = hub.http.post("/api/validate-yaml", content=json.dumps(body))
    assert answer.status_code == 200
    assert answer.json()["errors"] == []
    assert {"message": "language is missing"} in answer.json()["warnings"]
    broken = hub.http.post("/api/validate-yaml", json={"content": "---\nlicense: [\n---\n"})
    assert broken.status_code == 400
    assert "not valid YAML" in broken.json()["errors"][0]["message"]


def test_who_did_it_is_kept(made: HubClient) -> None:
    made.commit(header("By whom"), regular("a.txt", TEXT))
    rows = made.http.get("/api/models/team/tiny/commits/main").json()
    assert rows[0]["title"] == "By whom"
    assert rows[0]["authors"] == [{"user": "pusher (pusher)"}]


def test_what_the_trainer_leaves_beside_a_model_is_left_out(made: HubClient) -> None:
    answer = made.preupload({"path": "training_args.bin", "size": 9, "sample": "gAQ="})
    assert answer.json()["files"][0]["shouldIgnore"] is True
    assert answer.headers["x-hf-warning"].startswith("files; training_args.bin")
    assert made.commit(header(), regular("training_args.bin", b"x")).status_code == 422


def test_many_push_at_once_and_none_is_lost(
    made: HubClient, connect: Callable[..., HubClient]
) -> None:
    clients = [connect() for _ in range(8)]

    def push_one(n: int) -> int:
        content = f"file {n}\n".encode() * 1_000
        clients[n].upload(content)
        lines = [header(f"{n}"), stored(f"{n}.txt", content), regular(f"{n}.md", b"x")]
        return clients[n].commit(*lines).status_code

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(push_one, range(8))) == {200}
    names = {row["path"] for row in made.tree().json()}
    assert names == {f"{n}.{suffix}" for n in range(8) for suffix in ("txt", "md")}
    assert len(made.http.get("/api/models/team/tiny/commits/main").json()) == 9


def test_every_route_is_documented_with_its_scope() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "hub-api.md"
    rows = re.findall(r"^\| (GET|POST|PUT|DELETE) \| `([^`]+)` \| (\w+) \|", page.read_text(), re.M)
    real = {
        (route.method, route.pattern.replace("*", ""), str(route.scope or "signed"))
        for route in app.routes()
        if not route.pattern.startswith("/_cas")
    }
    assert set(rows) == real
