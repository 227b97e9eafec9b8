"""Whatever an endpoint answers, a call ends in time, keeps to its bytes and goes nowhere else."""

import asyncio
import json
import time
from collections.abc import Callable
from itertools import count

import httpx2
import pytest

from registry.addresses import is_public
from registry.errors import AddressRefused
from registry.remote.address import Reach
from registry.remote.client import CallFailed, Failure, RemoteClient, Reply
from registry.remote.facts import check_url
from registry.remote.wire import InvalidAnswer, build_request, max_answer_bytes, parse_scores
from tests.registry.fake_endpoint import Asked, FakeEndpoint, fake_endpoint

LABELS = ("BAD", "GOOD")
TEXTS = ["one", "two"]
GOOD_ROW = [{"label": "GOOD", "score": 0.75}, {"label": "BAD", "score": 0.25}]


def ask(endpoint: FakeEndpoint, *, seconds: float = 5.0, token: str = "secret-token") -> Reply:
    client = RemoteClient(endpoint.url, reach=Reach([endpoint.host]), token=lambda: token)
    try:
        return client.post(
            build_request(TEXTS),
            deadline=time.monotonic() + seconds,
            max_bytes=max_answer_bytes(len(TEXTS), LABELS),
        )
    finally:
        client.close()


def scores(endpoint: FakeEndpoint) -> list[list[float]]:
    return parse_scores(ask(endpoint).data, len(TEXTS), LABELS)


def answering(value: object, **options: object) -> Callable[[Asked], None]:
    return lambda asked: asked.answer(value, **options)  # type: ignore[arg-type]


def writing(data: bytes) -> Callable[[Asked], None]:
    def say(asked: Asked) -> None:
        asked.write(data)
        raise OSError("hang up")

    return say


def test_a_good_answer_gives_each_text_its_scores_in_the_order_of_the_labels() -> None:
    with fake_endpoint() as endpoint:
        assert scores(endpoint) == [[0.25, 0.75], [0.25, 0.75]]
    (asked,) = endpoint.asked
    assert asked.path == "/models/team/far"
    assert json.loads(asked.body) == {"inputs": TEXTS, "parameters": {"top_k": None}}
    assert asked.headers["authorization"] == "Bearer secret-token"
    assert asked.headers["accept-encoding"] == "identity"


def test_calls_share_their_connection() -> None:
    with fake_endpoint() as endpoint:
        client = RemoteClient(endpoint.url, reach=Reach([endpoint.host]), token=lambda: "")
        for _ in range(5):
            client.post(build_request(["a"]), deadline=time.monotonic() + 5, max_bytes=10_000)
        client.close()
    assert (len(endpoint.asked), endpoint.n_connections) == (5, 1)
    assert "authorization" not in endpoint.asked[0].headers


# What a hostile or broken endpoint says, and what becomes of the call.
BAD_BODIES = {
    "HTML": b"<html><body>Sign in</body></html>",
    "nothing": b"",
    "cut short": b'[[{"label":"GOOD","score":0.7',
    "not UTF-8": b'[[{"label":"\xff","score":0.5}]]',
    "NaN": b'[[{"label":"GOOD","score":NaN},{"label":"BAD","score":0.5}]]',
    "infinity": b'[[{"label":"GOOD","score":1e999},{"label":"BAD","score":0.5}]]',
    "a number as text": json.dumps([[{"label": "GOOD", "score": "0.5"}]] * 2).encode(),
    "null": b"null",
    "an object": json.dumps({"label": "GOOD", "score": 1.0}).encode(),
    "an error with 200": json.dumps({"error": "out of memory"}).encode(),
    "one row": json.dumps([GOOD_ROW]).encode(),
    "three rows": json.dumps([GOOD_ROW] * 3).encode(),
    "a flat list": json.dumps(GOOD_ROW).encode(),
    "an empty row": json.dumps([GOOD_ROW, []]).encode(),
    "another label": json.dumps([GOOD_ROW, [{"label": "EVIL", "score": 1.0}]]).encode(),
    "a label too many": json.dumps(
        [[*GOOD_ROW, {"label": "UGLY", "score": 0.0}], GOOD_ROW]
    ).encode(),
    "a label too few": json.dumps([GOOD_ROW[:1], GOOD_ROW]).encode(),
    "a label twice": json.dumps([[*GOOD_ROW, GOOD_ROW[0]], GOOD_ROW]).encode(),
    "deep nesting": b"[" * 50_000,
    "a bool as score": json.dumps([[{"label": "GOOD", "score": True}, GOOD_ROW[1]]] * 2).encode(),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_an_answer_that_is_not_the_wire_s_is_refused(body: bytes) -> None:
    with fake_endpoint(answering(body)) as endpoint, pytest.raises(InvalidAnswer) as refused:
        scores(endpoint)
    assert "EVIL" not in str(refused.value)
    assert len(str(refused.value)) < 200


FOREVER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 0x8000
BAD_RESPONSES = {
    "too long, announced": (
        answering(b"x", headers={"Content-Length": "99999999"}),
        Failure.INVALID,
    ),
    "too long, chunked": (
        writing(FOREVER + (b"\r\n8000\r\n" + b"x" * 0x8000) * 9),
        Failure.INVALID,
    ),
    "compressed unasked": (
        answering(b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
        Failure.INVALID,
    ),
    "a redirect elsewhere": (
        answering(b"", status="307 Moved", headers={"Location": "http://169.254.169.254/"}),
        Failure.REFUSED,
    ),
    "a redirect to itself": (
        answering(b"", status="302 Found", headers={"Location": "/again"}),
        Failure.REFUSED,
    ),
    "no key": (answering({"error": "who?"}, status="401 Unauthorized"), Failure.REFUSED),
    "no scope": (answering({"error": "no"}, status="403 Forbidden"), Failure.REFUSED),
    "not there": (answering(b"gone", status="404 Not Found"), Failure.REFUSED),
    "no content": (writing(b"HTTP/1.1 204 No Content\r\n\r\n"), Failure.REFUSED),
    "a teapot": (answering(b"", status="418 Teapot"), Failure.REFUSED),
    "a refused text": (answering({"error": "bad"}, status="422 No"), Failure.INPUT),
    "a crash": (answering(b"Traceback", status="500 Oops"), Failure.INPUT),
    "a dead gateway": (answering(b"", status="502 Bad Gateway"), Failure.UNAVAILABLE),
    "garbage": (writing(b"SSH-2.0-OpenSSH_9.6\r\n"), Failure.UNAVAILABLE),
    "a hang-up": (writing(b""), Failure.UNAVAILABLE),
    "half a body": (
        writing(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[["),
        Failure.UNAVAILABLE,
    ),
    "endless headers": (
        writing(b"HTTP/1.1 200 OK\r\n" + b"X-Junk: y\r\n" * 30_000),
        Failure.UNAVAILABLE,
    ),
    "hours of loading": (
        answering({"error": "loading", "estimated_time": 7200}, status="503 Loading"),
        Failure.UNAVAILABLE,
    ),
}


@pytest.mark.parametrize(("say", "kind"), BAD_RESPONSES.values(), ids=BAD_RESPONSES)
def test_a_bad_response_ends_the_call_soon_and_says_what_can_be_done(
    say: Callable[[Asked], None], kind: Failure
) -> None:
    started = time.monotonic()
    with fake_endpoint(say) as endpoint, pytest.raises(CallFailed) as failed:
        ask(endpoint)
    assert failed.value.kind is kind
    assert time.monotonic() - started < 4
    assert all(asked.path == "/models/team/far" for asked in endpoint.asked)
    for secret in ("secret-token", "Traceback", "169.254"):
        assert secret not in failed.value.message


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 1000, id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b" " * 900, id="body"),
        pytest.param(b"HTTP/1.1 503 No\r\nContent-Length: 900\r\n\r\n" + b" " * 900, id="error"),
    ],
)
def test_a_drip_of_bytes_ends_at_the_deadline(data: bytes) -> None:
    started = time.monotonic()
    with (
        fake_endpoint(lambda asked: asked.drip(data, 0.05)) as endpoint,
        pytest.raises(CallFailed) as failed,
    ):
        ask(endpoint, seconds=0.5)
    assert failed.value.kind is Failure.TIMEOUT
    assert time.monotonic() - started < 1.5


def test_a_silent_endpoint_ends_at_the_deadline() -> None:
    with (
        fake_endpoint(lambda asked: time.sleep(3)) as endpoint,
        pytest.raises(CallFailed) as failed,
    ):
        ask(endpoint, seconds=0.3)
    assert failed.value.kind is Failure.TIMEOUT


def test_an_endpoint_that_loads_is_asked_again_until_it_answers() -> None:
    turns = count()

    def say(asked: Asked) -> None:
        if next(turns) < 3:
            loading = {"error": "Model x is currently loading", "estimated_time": 0.1}
            asked.answer(loading, status="503 Service Unavailable")
        else:
            asked.classify()

    with fake_endpoint(say) as endpoint:
        assert len(scores(endpoint)) == 2
    assert len(endpoint.asked) == 4


def test_retry_after_counts_more_than_the_estimate() -> None:
    say = answering(
        {"error": "x", "estimated_time": 0.1}, status="503 Later", headers={"Retry-After": "40"}
    )
    with fake_endpoint(say) as endpoint, pytest.raises(CallFailed) as failed:
        ask(endpoint)
    assert failed.value.retry_after_s == 40
    assert len(endpoint.asked) == 1


def test_nothing_listening_is_unavailable() -> None:
    with fake_endpoint() as endpoint:
        pass
    with pytest.raises(CallFailed) as failed:
        ask(endpoint)
    assert failed.value.kind is Failure.UNAVAILABLE
    assert failed.value.retry_after_s is not None


PUBLIC = "https://far.example/models/x"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "0.0.0.0"],
)
def test_a_name_that_leads_inside_is_never_asked(address: str) -> None:
    reach = Reach(resolve=lambda host, port: ["93.184.216.34", address])
    with pytest.raises(AddressRefused):
        reach.check(check_url(PUBLIC))
    client = RemoteClient(PUBLIC, reach=reach, token=lambda: "secret-token")
    with pytest.raises(CallFailed) as failed:
        client.post(b"{}", deadline=time.monotonic() + 2, max_bytes=10)
    assert failed.value.kind is Failure.REFUSED
    assert not is_public(address)


def test_http_needs_an_allowed_host_and_secrets_of_clouds_cannot_be_allowed() -> None:
    with pytest.raises(AddressRefused):
        Reach(resolve=lambda host, port: ["93.184.216.34"]).check(check_url("http://far.example/"))
    inside = Reach(["far.example"], resolve=lambda host, port: ["10.0.0.7"])
    assert inside.check(check_url("http://far.example:8080/")) == ["10.0.0.7"]
    metadata = Reach(["far.example"], resolve=lambda host, port: ["169.254.169.254"])
    with pytest.raises(AddressRefused):
        metadata.check(check_url("http://far.example/"))


def test_the_address_that_was_judged_is_the_one_asked_under_its_own_name() -> None:
    turns = iter([["93.184.216.34", "2606:2800::1"], ["10.0.0.1"]])
    reach, target = Reach(resolve=lambda host, port: next(turns)), check_url(PUBLIC)

    async def ask() -> tuple[str, dict[str, str], dict[str, str]]:
        url, headers, extensions = await reach.resolve(target, httpx2.URL(PUBLIC))
        return str(url), headers, extensions

    names = {"Host": "far.example"}, {"sni_hostname": "far.example"}
    assert asyncio.run(ask()) == ("https://93.184.216.34/models/x", *names)
    reach.turn(target)
    assert asyncio.run(ask()) == ("https://[2606:2800::1]/models/x", *names)


def test_an_unknown_name_is_unavailable() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    client = RemoteClient(PUBLIC, reach=Reach(resolve=resolve), token=lambda: "")
    with pytest.raises(CallFailed) as failed:
        client.post(b"{}", deadline=time.monotonic() + 3, max_bytes=10)
    assert failed.value.kind is Failure.UNAVAILABLE


def test_the_token_goes_to_allowed_hosts_and_hugging_face_only() -> None:
    def sends(url: str, allowed: tuple[str, ...] = (), *, is_managed: bool = False) -> bool:
        reach = Reach(allowed, resolve=lambda host, port: ["93.184.216.34"])
        client = RemoteClient(url, reach=reach, token=lambda: "t", is_managed=is_managed)
        client.close()
        return client._sends_token

    assert not sends(PUBLIC)
    assert not sends("https://evil.example/.endpoints.huggingface.cloud")
    assert not sends("https://endpoints.huggingface.cloud.evil.example/")
    assert sends("https://abc.us-east-1.aws.endpoints.huggingface.cloud")
    assert sends(PUBLIC, ("far.example",))
    assert sends(PUBLIC, is_managed=True)
