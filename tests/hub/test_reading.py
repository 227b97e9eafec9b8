"""What the Hub tells, byte for byte on the wire."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from registry import services
from registry.models import Blob
from registry.store import Store
from tests.hub.client import KEYS, HubClient, header, regular, sha256
from tests.registry.builders import build_model_dir

CARD = b"---\nlicense: mit\ntags: [demo]\nlanguage: en\n---\n# A model\n"


@pytest.fixture
def carded(transactional_db: None, tmp_path: Path) -> str:
    """A model with a card and a folder."""
    folder = build_model_dir(
        tmp_path / "carded", files={"README.md": CARD, "extra/notes/a.txt": b"a"}
    )
    services.register_directory(folder, "team/carded", actor="alice")
    return "team/carded"


def test_head_tells_all_that_a_client_caches_by(hub: HubClient, tiny: str, store: Store) -> None:
    answer = hub.head("model.safetensors", **{"Accept-Encoding": "identity"})
    commit = hub.http.get("/api/models/team/tiny").json()["sha"]
    content = hub.get("model.safetensors").content
    assert answer.status_code == 200
    assert answer.headers["x-repo-commit"] == commit
    assert answer.headers["etag"] == answer.headers["x-linked-etag"] == f'"{sha256(content)}"'
    assert answer.headers["content-length"] == answer.headers["x-linked-size"] == str(len(content))
    assert answer.headers["accept-ranges"] == "bytes"
    assert "x-xet-hash" not in answer.headers
    assert answer.content == b""


def test_a_small_file_has_the_id_that_git_gives_it(hub: HubClient, tiny: str) -> None:
    answer = hub.get("config.json")
    git = hashlib.sha1(b"blob %d\0" % len(answer.content) + answer.content).hexdigest()
    assert answer.headers["etag"] == f'"{git}"'
    assert "x-linked-etag" not in answer.headers


def test_head_reads_no_file(hub: HubClient, tiny: str, store: Store) -> None:
    blob = store.blob(hub.head("model.safetensors").headers["etag"].strip('"'))
    blob.unlink()
    assert hub.head("model.safetensors").status_code == 200
    assert hub.get("model.safetensors").status_code == 500


def test_a_missing_file_names_the_commit_where_it_is_missing(hub: HubClient, tiny: str) -> None:
    for answer in (hub.head("none.json"), hub.get("none.json")):
        assert answer.status_code == 404
        assert answer.headers["x-error-code"] == "EntryNotFound"
        assert len(answer.headers["x-repo-commit"]) == 40
    assert hub.get("none.json").json() == {
        "error": "team/tiny has no file 'none.json' at this revision"
    }


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [("bytes=0-9", 0, 9), ("bytes=-5", 187, 191), ("bytes=190-", 190, 191), ("bytes=5-5", 5, 5)],
)
def test_a_range_is_a_part_of_the_file(
    hub: HubClient, tiny: str, header: str, first: int, last: int
) -> None:
    whole = hub.get("model.safetensors").content
    answer = hub.get("model.safetensors", Range=header)
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/192"
    assert answer.content == whole[first : last + 1]


def test_a_range_past_the_end_is_refused_with_the_size(hub: HubClient, tiny: str) -> None:
    answer = hub.get("model.safetensors", Range="bytes=192-")
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */192")


def test_a_range_that_is_no_longer_of_this_file_gets_the_whole(hub: HubClient, tiny: str) -> None:
    answer = hub.get("model.safetensors", Range="bytes=0-9", **{"If-Range": '"other"'})
    assert (answer.status_code, len(answer.content)) == (200, 192)


def test_a_file_that_the_client_has_is_not_sent_again(hub: HubClient, tiny: str) -> None:
    etag = hub.head("config.json").headers["etag"]
    for value in (etag, f'"x", W/{etag}', "*"):
        answer = hub.get("config.json", **{"If-None-Match": value})
        assert (answer.status_code, answer.content) == (304, b"")
    assert hub.get("config.json", **{"If-None-Match": '"x"'}).status_code == 200


def test_damaged_bytes_are_not_served(hub: HubClient, tiny: str) -> None:
    digest = hub.head("model.safetensors").headers["etag"].strip('"')
    Blob.objects.filter(pk=digest).update(is_damaged=True)
    answer = hub.get("model.safetensors")
    assert answer.status_code == 500
    assert answer.headers["x-error-code"] == "blob_damaged"
    assert "/" not in answer.json()["error"]


def test_a_large_file_arrives_whole(hub: HubClient, transactional_db: None) -> None:
    text = b"0123456789abcdef" * 400_000
    hub.create()
    hub.upload(text)
    line = {"key": "lfsFile", "value": {"path": "big.txt", "oid": sha256(text), "size": len(text)}}
    commit = [{"key": "header", "value": {"summary": "big"}}, line]
    assert hub.commit(*commit).status_code == 200
    answer = hub.get("big.txt")
    assert sha256(answer.content) == sha256(text)
    assert hub.get("big.txt", Range="bytes=1000000-2999999").content == text[1_000_000:3_000_000]


def test_a_download_that_is_given_up_leaves_the_server_well(
    hub: HubClient, url: str, tiny: str
) -> None:
    for _ in range(20):
        headers = {"Authorization": f"Bearer {KEYS['reader']}"}
        with httpx.stream(
            "GET", f"{url}/team/tiny/resolve/main/model.safetensors", headers=headers
        ):
            pass
    assert hub.get("config.json").status_code == 200


def test_raw_is_resolve(hub: HubClient, tiny: str) -> None:
    raw = hub.http.get("/team/tiny/raw/main/config.json")
    assert raw.content == hub.get("config.json").content


def test_every_name_of_a_commit_leads_to_it(hub: HubClient, tiny: str) -> None:
    services.promote("team/tiny", 1, actor="alice")
    services.set_alias("team/tiny", "champion", "v1", actor="alice")
    sha = hub.http.get("/api/models/team/tiny").json()["sha"]
    for revision in ("main", "v1", "champion", "prod", sha, "refs%2Fheads%2Fmain"):
        answer = hub.http.get(f"/api/models/team/tiny/revision/{revision}")
        assert answer.json()["sha"] == sha, revision
    refs = hub.http.get("/api/models/team/tiny/refs?include_prs=true").json()
    assert [ref["name"] for ref in refs["converts"]] == ["champion", "prod"]
    assert [ref["ref"] for ref in refs["tags"]] == ["refs/tags/v1"]
    assert refs["pullRequests"] == []


def test_the_card_becomes_facts(hub: HubClient, carded: str) -> None:
    info = hub.http.get("/api/models/team/carded?blobs=True&expand=x&securityStatus=1").json()
    assert info["cardData"] == {"license": "mit", "tags": ["demo"], "language": "en"}
    assert {"demo", "license:mit", "en", "safetensors", "text-classification"} <= set(info["tags"])
    assert info["library_name"] == "transformers"
    assert info["safetensors"] == {"parameters": {"F32": 10}, "total": 10}
    assert (info["private"], info["gated"], info["disabled"]) == (True, False, False)
    weights = next(row for row in info["siblings"] if row["rfilename"] == "model.safetensors")
    assert weights["lfs"]["size"] == weights["size"]


def test_a_tree_is_walked_flat_or_whole(hub: HubClient, carded: str) -> None:
    hub.model = carded
    flat = {row["path"]: row["type"] for row in hub.tree().json()}
    assert flat["extra"] == "directory"
    assert "extra/notes" not in flat
    whole = [row["path"] for row in hub.tree(recursive="True").json()]
    assert [path for path in whole if path.startswith("extra")] == [
        "extra",
        "extra/notes",
        "extra/notes/a.txt",
    ]
    for path in ("extra/notes", "extra%2Fnotes"):
        (row,) = hub.tree(path=path, expand="true").json()
        assert row["path"] == "extra/notes/a.txt"
        assert row["lastCommit"]["title"]
    assert all("xetHash" not in row for row in hub.tree(recursive="true").json())


def test_a_folder_that_is_not_there_is_an_entry_not_found(hub: HubClient, carded: str) -> None:
    hub.model = carded
    answer = hub.tree(path="additional_chat_templates")
    assert (answer.status_code, answer.headers["x-error-code"]) == (404, "EntryNotFound")


def test_the_commit_that_changed_a_path_last_is_told(hub: HubClient, carded: str) -> None:
    hub.model = carded
    hub.commit(header("Second"), regular("extra/more.txt", b"m"))
    hub.commit(header("Third"), regular("b.txt", b"b"))
    rows = hub.tree(expand="true").json()
    last = {row["path"]: row["lastCommit"]["title"] for row in rows}
    assert (last["extra"], last["b.txt"]) == ("Second", "Third")
    assert last["config.json"].startswith("Version 1")


def test_paths_come_as_a_form_and_unknown_ones_are_dropped(hub: HubClient, carded: str) -> None:
    answer = hub.http.post(
        "/api/models/team/carded/paths-info/main",
        data={"paths": ["README.md", "no", "extra"], "expand": "True"},
    )
    rows = answer.json()
    assert [(row["path"], row["type"]) for row in rows] == [
        ("README.md", "file"),
        ("extra", "directory"),
    ]
    assert all(row["lastCommit"]["id"] for row in rows)


def test_models_are_listed_page_by_page(hub: HubClient, transactional_db: None) -> None:
    for n in range(5):
        services.create_model(f"team/model-{n}", actor="alice")
    services.create_model("other/thing", actor="alice")
    names, url = [], "/api/models?author=team&limit=2&sort=lastModified"
    while url:
        answer = hub.http.get(url)
        names += [row["id"] for row in answer.json()]
        url = answer.links.get("next", {}).get("url", "")
    assert sorted(names) == [f"team/model-{n}" for n in range(5)]
    assert [row["id"] for row in hub.http.get("/api/models?search=thing").json()] == ["other/thing"]


def test_models_are_found_by_tag(hub: HubClient, tiny: str, carded: str) -> None:
    for query, names in [
        ("filter=demo", ["team/carded"]),
        ("filter=text-classification,safetensors", ["team/carded", "team/tiny"]),
        ("pipeline_tag=text-classification&filter=license:mit", ["team/carded"]),
        ("filter=none", []),
    ]:
        rows = hub.http.get(f"/api/models?{query}&sort=createdAt").json()
        assert [row["id"] for row in rows] == names, query


def test_who_asks_is_told_from_the_key(connect: Callable[..., HubClient]) -> None:
    roles = {}
    for key in ("pusher", "reader"):
        answer = connect(key).http.get("/api/whoami-v2").json()
        assert answer["name"] == key
        roles[key] = answer["auth"]["accessToken"]["role"]
    assert roles == {"pusher": "write", "reader": "read"}


def test_a_hidden_and_a_missing_model_look_the_same_without_a_key(
    connect: Callable[..., HubClient], tiny: str
) -> None:
    stranger = connect(None)
    seen = []
    for name in ("tiny", "none"):
        answer = stranger.http.get(f"/api/models/team/{name}")
        seen.append((answer.status_code, answer.headers["x-error-code"], answer.text))
    assert seen[0] == seen[1]
    assert seen[0][:2] == (401, "RepoNotFound")


def test_unknown_parts_of_the_hub_are_answered_in_its_shape(hub: HubClient) -> None:
    for path in ("/api/agent-harnesses", "/api/models/a/b/discussions", "/api/datasets/a/b"):
        answer = hub.http.get(path)
        assert answer.status_code == 404
        assert set(answer.json()) == {"error"}
        assert answer.headers["x-error-code"] == "not_found"
        assert answer.headers["x-request-id"]


def test_another_host_name_is_refused(hub: HubClient, tiny: str) -> None:
    answer = hub.http.get("/api/models", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["x-error-code"]) == (400, "host_not_allowed")


def test_urls_carry_the_host_that_was_called(url: str, tiny: str) -> None:
    port = url.rpartition(":")[2]
    headers = {"Authorization": f"Bearer {KEYS['pusher']}", "X-Forwarded-Host": "evil.example"}
    answer = httpx.post(
        f"http://localhost:{port}/api/repos/create",
        json={"name": "tiny", "organization": "team"},
        headers=headers,
    )
    assert answer.json()["url"] == f"http://localhost:{port}/team/tiny"


def test_behind_a_trusted_proxy_urls_carry_its_name(url: str, tiny: str, settings: object) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # type: ignore[attr-defined]
    settings.ALLOWED_HOSTS = ["hub.example"]  # type: ignore[attr-defined]
    headers = {
        "Authorization": f"Bearer {KEYS['pusher']}",
        "X-Forwarded-Host": "hub.example",
        "X-Forwarded-Proto": "https",
    }
    answer = httpx.post(
        f"{url}/api/repos/create", json={"name": "tiny", "organization": "team"}, headers=headers
    )
    assert answer.json()["url"] == "https://hub.example/team/tiny"
