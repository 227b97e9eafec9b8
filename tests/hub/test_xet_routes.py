"""The wire of Xet uploads, and the library that really speaks it."""

import hashlib
import http.client
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from registry import services
from registry.hub.signing import sign
from registry.hub.xet.routes import PURPOSE
from registry.hub.xet.xorbs import MAX_BODY_BYTES
from registry.location import open_store
from registry.models import Blob, Lease, RegisteredModel, Xorb
from tests.hub.client import header, stored
from tests.hub.xet_builders import file_entry, honest_shard, name_of, shard, xorb

CHUNKS = [b"first" * 1000, b"second" * 700]
NAME = name_of("xorb")
TOKEN = "/api/models/team/tiny/xet-write-token/main"


@pytest.fixture
def grant(hub, tiny) -> dict:
    answer = hub.http.get(TOKEN)
    assert answer.status_code == 200
    return answer.json()


def post(grant: dict, path: str, body: bytes, token: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token or grant['accessToken']}"}
    return httpx.post(f"{grant['casUrl']}/{path}", content=body, headers=headers)


def leftovers() -> list[Path]:
    return list(open_store().stagings.glob("*"))


def test_a_token_says_where_to_upload_until_when(hub, tiny, url):
    answer = hub.http.get(TOKEN)
    grant = answer.json()
    model = RegisteredModel.objects.get(name="tiny")
    assert grant["casUrl"] == f"{url}/_cas/team/tiny/{model.pk}-1"
    assert 3500 < grant["exp"] - time.time() <= 3600
    assert answer.headers["X-Xet-Cas-Url"] == grant["casUrl"]
    assert answer.headers["X-Xet-Access-Token"] == grant["accessToken"]
    assert answer.headers["X-Xet-Token-Expiration"] == str(grant["exp"])


def test_the_address_stays_while_chunks_are_kept(hub, grant):
    assert hub.http.get(TOKEN).json()["casUrl"] == grant["casUrl"]
    assert post(grant, "v1/shards", honest_shard(NAME, CHUNKS)).status_code == 400
    assert hub.http.get(TOKEN).json()["casUrl"] != grant["casUrl"]


@pytest.mark.parametrize(("key", "status"), [("reader", 403), ("predictor", 403), (None, 401)])
def test_only_who_may_push_gets_a_token(connect, tiny, key, status):
    assert connect(key).http.get(TOKEN).status_code == status


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/models/team/nothing/xet-write-token/main", "RepoNotFound"),
        ("/api/models/team/tiny/xet-write-token/nothing", "RevisionNotFound"),
    ],
)
def test_there_is_no_token_for_what_is_not_there(hub, tiny, path, code):
    answer = hub.http.get(path)
    assert answer.status_code == 404
    assert answer.headers["X-Error-Code"] == code


def test_a_file_goes_up_in_chunks_and_is_committed(hub, grant):
    whole = b"".join(CHUNKS)
    assert post(grant, f"v1/xorbs/default/{NAME}", xorb(CHUNKS)).json() == {"was_inserted": True}
    answer = post(grant, "v1/shards", honest_shard(NAME, CHUNKS))
    assert answer.json() == {"result": 1}
    assert Lease.objects.filter(blob_id=hashlib.sha256(whole).hexdigest()).get().owner == (
        "pusher (pusher)"
    )
    answer = hub.commit(header(), stored("notes.txt", whole))
    assert answer.status_code == 200, answer.text
    assert hub.get("notes.txt").content == whole
    assert leftovers() == []


def test_the_prefix_of_the_written_protocol_works_too(grant):
    path = f"v1/xorbs/default-merkledb/{NAME}"
    assert post(grant, path, xorb(CHUNKS)).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        f"v1/chunks/default/{NAME}",
        f"v1/xorb-grants/default/{NAME}",
        "v2/shards",
        "v3/anything",
        "v1/reconstructions/abc",
        f"v1/xorbs/other/{NAME}",
        "v1/xorbs/default/nohash",
        "v1/xorbs/default/..%2f..%2fx",
        "",
    ],
)
def test_whatever_else_clients_try_is_not_found(grant, path):
    assert post(grant, path, b"{}").status_code == 404


def test_questions_about_known_chunks_are_not_found(grant):
    headers = {"Authorization": f"Bearer {grant['accessToken']}"}
    for path in (f"v1/chunks/default/{NAME}", f"v1/xorbs/default/{NAME}", "v1/shards"):
        assert httpx.get(f"{grant['casUrl']}/{path}", headers=headers).status_code == 404
        assert httpx.head(f"{grant['casUrl']}/{path}", headers=headers).status_code == 404


def wrong_tokens(grant: dict) -> dict[str, str]:
    services.create_model("other/model", actor="alice")
    pk = RegisteredModel.objects.get(name="tiny").pk
    now, claims = time.time(), {"actor": "mallory", "model": pk}
    return {
        "none": ".",
        "an API key": "pusher." + "k" * 32,
        "cut": grant["accessToken"][:-2],
        "another purpose": sign("lfs-put", claims, now + 100),
        "expired": sign(PURPOSE, claims, now - 1),
        "another model": sign(
            PURPOSE,
            claims | {"model": RegisteredModel.objects.exclude(pk=pk).get().pk},
            now + 100,
        ),
        "huge": "a" * 5000,
        "not base64": "ä.ö".encode().decode("latin-1"),
    }


@pytest.mark.parametrize("path", [f"v1/xorbs/default/{NAME}", "v1/shards"])
def test_a_wrong_token_uploads_nothing(grant, path):
    for name, token in wrong_tokens(grant).items():
        body = xorb(CHUNKS) if "xorbs" in path else shard()
        headers = {"Authorization": f"Bearer {token}".encode()}
        answer = httpx.post(f"{grant['casUrl']}/{path}", content=body, headers=headers)
        assert answer.status_code in (403, 404), name
    assert not Xorb.objects.exists()
    assert leftovers() == []


@pytest.mark.parametrize("epoch", ["1", "0-1", "{pk}-0", "{pk}-2", "{pk}-99999999999", "x-1"])
def test_an_address_that_is_not_ours_takes_nothing(grant, epoch):
    base, _, text = grant["casUrl"].rpartition("/")
    wrong = {**grant, "casUrl": f"{base}/{epoch.format(pk=text.partition('-')[0])}"}
    assert post(wrong, f"v1/xorbs/default/{NAME}", xorb(CHUNKS)).status_code == 404


def test_a_body_over_the_limit_is_refused_before_it_is_sent(grant):
    address = httpx.URL(f"{grant['casUrl']}/v1/xorbs/default/{NAME}")
    connection = http.client.HTTPConnection(address.host, address.port, timeout=10)
    connection.putrequest("POST", address.path)
    connection.putheader("Authorization", f"Bearer {grant['accessToken']}")
    connection.putheader("Content-Length", str(MAX_BODY_BYTES + 1))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_without_length_is_refused(grant):
    headers = {"Authorization": f"Bearer {grant['accessToken']}"}
    address = f"{grant['casUrl']}/v1/xorbs/default/{NAME}"
    assert httpx.post(address, content=iter([b"x"]), headers=headers).status_code == 411


def test_a_refusal_is_a_sentence_and_leaves_nothing(grant):
    answer = post(grant, f"v1/xorbs/default/{NAME}", b"garbage" * 9)
    assert answer.status_code == 400
    assert answer.headers["X-Error-Code"] == "xet_refused"
    assert "version 103" in answer.json()["error"]
    assert leftovers() == []


def test_chunks_that_are_gone_are_refused_once_and_then_sent_anew(hub, grant):
    answer = post(grant, "v1/shards", honest_shard(NAME, CHUNKS))
    assert answer.status_code == 400
    assert answer.headers["X-Error-Code"] == "chunks_gone"
    again = hub.http.get(TOKEN).json()
    assert post(again, f"v1/xorbs/default/{NAME}", xorb(CHUNKS)).status_code == 200
    assert post(again, "v1/shards", honest_shard(NAME, CHUNKS)).status_code == 200


def test_an_upload_that_began_in_an_ended_epoch_may_finish(hub, grant):
    post(grant, f"v1/xorbs/default/{NAME}", xorb(CHUNKS))
    RegisteredModel.objects.update(cas_epoch=2)
    assert post(grant, "v1/shards", honest_shard(NAME, CHUNKS)).status_code == 200


def test_the_real_library_sends_only_what_is_new(grant, hub, url, monkeypatch, tmp_path):
    """In a process of its own this would be cleaner; it keeps its cache under HF_HOME."""
    hf_xet = pytest.importorskip("hf_xet")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_XET_CACHE", str(tmp_path / "hf" / "xet"))
    draw = random.Random(0)
    first = draw.randbytes(3_000_000)
    second = first[:1_500_000] + b"changed" + first[1_500_007:]
    session = hf_xet.XetSession()
    for data in (first, second):
        commit = session.new_upload_commit(
            token_refresh_url=f"{url}{TOKEN}",
            token_refresh_headers=dict(hub.http.headers),
            custom_headers={},
        )
        commit.start_upload_bytes(data, sha256=hf_xet.COMPUTE_SHA256)
        commit.wait_to_finish()
        assert open_store().blob(hashlib.sha256(data).hexdigest()).read_bytes() == data
    assert Blob.objects.filter(size=3_000_000).count() == 2
    sizes = [sum(row.lengths) for row in Xorb.objects.order_by("pk")]
    assert sizes[0] == 3_000_000
    assert sum(sizes[1:]) < 300_000
    assert not list((open_store().root / "xorbs").rglob("*-*"))


def test_clients_that_send_the_same_at_once_do_not_disturb_each_other(grant):
    def push(_: int) -> list[int]:
        sent = post(grant, f"v1/xorbs/default/{NAME}", xorb(CHUNKS))
        return [sent.status_code, post(grant, "v1/shards", honest_shard(NAME, CHUNKS)).status_code]

    with ThreadPoolExecutor(6) as threads:
        for codes in threads.map(push, range(18)):
            assert codes == [200, 200]
    assert Xorb.objects.count() == 1
    whole = hashlib.sha256(b"".join(CHUNKS)).hexdigest()
    assert Blob.objects.filter(pk=whole).exists()


def test_a_new_upload_clears_what_an_old_one_left(hub, grant):
    post(grant, f"v1/xorbs/default/{NAME}", xorb(CHUNKS))
    (left,) = (open_store().root / "xorbs").rglob("*-*")
    yesterday = time.time() - 25 * 3600
    os.utime(left, (yesterday, yesterday))
    Xorb.objects.update(created_at=datetime.fromtimestamp(yesterday, UTC))
    assert hub.http.get(TOKEN).json()["casUrl"] != grant["casUrl"]
    assert not left.exists()


def test_a_shard_may_hold_several_files(grant):
    post(grant, f"v1/xorbs/default/{NAME}", xorb(CHUNKS))
    entries = [
        file_entry([(NAME, n, n + 1, len(data))], hashlib.sha256(data).hexdigest())
        for n, data in enumerate(CHUNKS)
    ]
    assert post(grant, "v1/shards", shard(*entries)).status_code == 200
    assert Lease.objects.count() == 2
