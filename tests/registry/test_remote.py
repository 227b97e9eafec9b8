"""remote.json: what it may say, and how an endpoint becomes a version."""

import json
from typing import Any

import pytest

from registry import queries, services
from registry.errors import (
    AddressRefused,
    ContentRefused,
    EndpointUnavailable,
    EndpointUnusable,
    InvalidField,
)
from registry.facts import MAX_LABELS
from registry.manifests import parse_manifest
from registry.models import Event, Version
from registry.remote.facts import RemoteFacts, build_remote, check_url, order_labels, parse_remote
from registry.remote.wire import parse_wait_s
from registry.services.remote import register_url
from registry.specs import EventKind, VersionKind, VersionState
from tests.registry.fake_endpoint import Asked, FakeEndpoint, fake_endpoint

URL = "https://abc.endpoints.huggingface.cloud/path"
FACTS = build_remote(
    url=URL,
    labels=["NEGATIVE", "POSITIVE"],
    namespace="team",
    endpoint="far-1",
    serves={"repository": "team/tiny", "revision": "c0ffee"},
)


def test_the_file_is_canonical_and_reads_back() -> None:
    assert FACTS.data == (
        b'{"endpoint":{"name":"far-1","namespace":"team"},"format":1,'
        b'"labels":["NEGATIVE","POSITIVE"],"serves":{"repository":"team/tiny",'
        b'"revision":"c0ffee"},"task":"text-classification",'
        b'"url":"https://abc.endpoints.huggingface.cloud/path"}'
    )
    assert parse_remote(FACTS.data) == FACTS


def changed(**changes: Any) -> bytes:
    fields = json.loads(FACTS.data) | changes
    return json.dumps(fields, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


BAD_FILES = {
    "not JSON": b"{",
    "not UTF-8": b"\xff",
    "a list": b"[]",
    "other white space": FACTS.data + b"\n",
    "an extra key": changed(token="hf_x"),
    "a newer format": changed(format=2),
    "a format that is true": changed(format=True),
    "no labels": changed(labels=[]),
    "a label twice": changed(labels=["A", "A"]),
    "a label that is a number": changed(labels=["A", 1]),
    "a label with a line end": changed(labels=["A\n", "B"]),
    "too many labels": changed(labels=[f"L{n}" for n in range(MAX_LABELS + 1)]),
    "another task": changed(task="text-generation"),
    "a file URL": changed(url="file:///etc/passwd"),
    "an endpoint that is text": changed(endpoint="far"),
    "an endpoint with a slash": changed(endpoint={"name": "a/b", "namespace": ""}),
    "served words with a NUL": changed(serves={"repository": "a\0b"}),
    "served words that are a list": changed(serves=[]),
    "too large": b" " * (9 * 1024**2),
}


@pytest.mark.parametrize("data", BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_is_not_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ContentRefused):
        parse_remote(data)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host/",
        "https://",
        "https:///path",
        "https://user:pass@host/",
        "https://host/?token=x",
        "https://host/#x",
        "https://host:0/",
        "https://host:99999/",
        "https://host/a/../b",
        "https://host/a b",
        "https://host\\@evil/",
        "https://höst/",
        "https://host/\n",
        "https://[::1/",
        "javascript:alert(1)",
        "https://host/" + "a" * 500,
    ],
)
def test_a_url_that_is_not_plain_is_refused(url: str) -> None:
    with pytest.raises(InvalidField):
        check_url(url)


def test_an_allow_list_names_hosts_or_hosts_with_ports() -> None:
    target = check_url("http://Inference.Corp:8443/x")
    assert (target.host, target.port) == ("inference.corp", 8443)
    assert target.is_allowed_by(["inference.corp"])
    assert target.is_allowed_by(["INFERENCE.corp:8443"])
    assert not target.is_allowed_by(["inference.corp:80", "corp", "evil.inference.corp"])
    assert check_url("http://[::1]:8000/").is_allowed_by(["[::1]:8000"])


def test_labels_are_ordered_by_number_or_name() -> None:
    assert order_labels(["LABEL_2", "LABEL_10", "LABEL_0"]) == ("LABEL_0", "LABEL_2", "LABEL_10")
    assert order_labels(["b", "LABEL_1", "a"]) == ("LABEL_1", "a", "b")


@pytest.mark.parametrize(
    ("body", "header", "wait_s"),
    [
        (b'{"estimated_time": 12.5}', None, 12.5),
        (b'{"estimated_time": 12.5}', "3", 3.0),
        (b'{"estimated_time": 12.5}', "Fri, 31 Dec 1999 23:59:59 GMT", 12.5),
        (b'{"estimated_time": 1e9}', None, 3600.0),
        (b'{"estimated_time": -1}', None, None),
        (b'{"estimated_time": "soon"}', None, None),
        (b"<html>", None, None),
        (b"\xff", "\u0663", None),
    ],
)
def test_how_long_to_wait_is_read_with_care(
    body: bytes, header: str | None, wait_s: float | None
) -> None:
    assert parse_wait_s(body, header) == wait_s


@pytest.fixture
def endpoint(settings: Any, db: None) -> Any:
    with fake_endpoint() as made:
        settings.BELLWETHER_REMOTE_HOSTS = [made.host]
        settings.HF_TOKEN = "hf_secret"
        yield made


def test_an_endpoint_becomes_a_version_like_any_other(endpoint: FakeEndpoint) -> None:
    done = register_url("team/far", endpoint.url, actor="alice", note="first")
    assert done.is_new
    spec = done.version
    assert (spec.kind, spec.number, spec.labels) == (VersionKind.REMOTE, 1, ("BAD", "GOOD"))
    row = Version.objects.get()
    (file,) = parse_manifest(row.manifest, digest=row.digest).files
    assert file.path == "remote.json"
    stored = (spec.view / "remote.json").read_bytes()
    assert parse_remote(stored).url == endpoint.url
    assert b"hf_secret" not in stored
    assert services.verify("team/far", 1, actor="alice").state is VersionState.SEALED
    services.promote("team/far", 1, actor="alice")
    assert queries.load_live_version("team/far") == spec
    assert Event.objects.filter(kind=EventKind.REGISTERED).count() == 1
    assert "hf_secret" not in str(list(Event.objects.values()))


def test_the_same_endpoint_again_is_nothing_new(endpoint: FakeEndpoint) -> None:
    first = register_url("team/far", endpoint.url, actor="alice")
    again = register_url("team/far", endpoint.url, actor="bob")
    assert not again.is_new
    assert again.version == first.version


def test_labels_that_are_given_are_not_asked_for(endpoint: FakeEndpoint) -> None:
    done = register_url("team/far", endpoint.url, actor="alice", labels=["Z", "A"])
    assert done.version.labels == ("Z", "A")
    assert endpoint.asked == []


def test_what_the_endpoint_says_it_serves_is_kept(endpoint: FakeEndpoint) -> None:
    row = [{"label": "GOOD", "score": 0.5}, {"label": "BAD", "score": 0.5}]
    said = {"X-Model-Version": "7", "X-Model-Digest": "ab12", "X-Other": "no"}
    endpoint.say = lambda asked: asked.answer([row] * 2, headers=said)
    spec = register_url("team/far", endpoint.url, actor="alice").version
    facts: RemoteFacts = parse_remote((spec.view / "remote.json").read_bytes())
    assert dict(facts.serves) == {"version": "7", "digest": "ab12"}


def test_an_endpoint_that_reads_two_texts_as_a_pair_is_refused(endpoint: FakeEndpoint) -> None:
    endpoint.say = lambda asked: asked.answer([[{"label": "GOOD", "score": 1.0}]])
    with pytest.raises(EndpointUnusable, match="1 rows for 2 texts"):
        register_url("team/far", endpoint.url, actor="alice")
    assert not Version.objects.exists()


def test_an_endpoint_that_shows_only_the_best_label_is_refused(endpoint: FakeEndpoint) -> None:
    def say(asked: Asked) -> None:
        asked.answer([[{"label": text, "score": 1.0}] for text in asked.inputs])

    endpoint.say = say
    with pytest.raises(EndpointUnusable, match="--labels"):
        register_url("team/far", endpoint.url, actor="alice")


def test_an_endpoint_that_does_not_answer_changes_nothing(endpoint: FakeEndpoint) -> None:
    endpoint.say = lambda asked: asked.answer(b"", status="502 Bad Gateway")
    with pytest.raises(EndpointUnavailable) as failed:
        register_url("team/far", endpoint.url, actor="alice")
    assert failed.value.retry_after_s
    assert not Version.objects.exists()


def test_a_host_inside_the_network_must_be_allowed(endpoint: FakeEndpoint, settings: Any) -> None:
    settings.BELLWETHER_REMOTE_HOSTS = []
    with pytest.raises(AddressRefused):
        register_url("team/far", endpoint.url, actor="alice")
    assert endpoint.asked == []
