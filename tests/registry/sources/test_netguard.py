"""Outgoing requests: where they may go, hop by hop, and for how long."""

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from registry.addresses import is_allowable, is_public, origin_of
from registry.errors import AddressRefused, SourceUnreachable
from registry.netguard import Answer, GuardedClient
from tests.registry.sources.loopback import Request, serve

INSIDE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:1::",
    "64:ff9b::a9fe:a9fe",
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1%eth0",
    "ff02::1",
]
NEVER = ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0", "::", "fe80::1"]


def get(client: GuardedClient, url: str, *, max_bytes: int = 1000, deadline_s: float = 5) -> bytes:
    with client.get(url, max_bytes=max_bytes, deadline_s=deadline_s) as answer:
        assert answer.status == 200
        return answer.read()


def answering(*addresses: str):
    """A resolver that gives each of `addresses` in turn, the last for ever."""
    left = list(addresses)

    def resolve(host: str, port: int) -> Sequence[str]:
        return [left.pop(0) if len(left) > 1 else left[0]]

    return resolve


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "::ffff:8.8.8.8", "2606:4700::1111"])
def test_an_address_of_the_open_internet_is_public(address):
    assert is_public(address)


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_cannot_be_allowed_at_all(address):
    assert not is_allowable(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "fd12::1", "100.64.0.1"])
def test_private_addresses_can_be_allowed(address):
    assert is_allowable(address)


def test_an_address_of_a_strange_form_is_refused():
    with pytest.raises(AddressRefused):
        is_public("not-an-address")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hub.example",
        "ftp://hub.example",
        "file:///etc/passwd",
        "gopher://hub.example/",
        "https://",
        "https:///path",
        "https://user@hub.example",
        "https://user:secret@hub.example",
        "https://hub.example@127.0.0.1/",
        "https://hub.example:99999",
        "https://hub.example:0",
        "https://hub.example:x",
        "https://hub example",
        "https://hub.example\\@127.0.0.1/",
        "https://hub.example/\r\nX: y",
        "https://hüb.example",
        "https://hub%2eexample/",
        "https://[::1",
        "https://" + "a" * 9000,
    ],
)
def test_a_url_that_is_not_plain_is_refused_without_showing_its_secrets(url):
    with pytest.raises(AddressRefused) as caught:
        origin_of(url)
    assert "secret" not in caught.value.message


def test_an_origin_has_a_scheme_a_host_and_a_port():
    assert origin_of("https://Hub.Example/x") == ("https", "hub.example", 443)
    assert origin_of("http://[::1]:8000") == ("http", "::1", 8000)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "[::1]", "0"],
)
def test_loopback_is_refused_however_it_is_written(host):
    with serve(lambda request: request.answer(200, b"secret")) as server:
        url = f"http://{host}:{server.server_port}"
        with pytest.raises((AddressRefused, SourceUnreachable)):
            get(GuardedClient(url), url)
        assert not server.seen


def test_a_trusted_endpoint_may_be_on_loopback():
    with serve(lambda request: request.answer(200, b"hello")) as server:
        assert get(GuardedClient(server.url, trusted=[server.url]), server.url) == b"hello"


def test_trust_is_of_one_port():
    with serve(lambda request: request.answer(200)) as server:
        other = f"http://127.0.0.1:{server.server_port + 1}"
        with pytest.raises(AddressRefused):
            get(GuardedClient(server.url, trusted=[other]), server.url)


def test_the_metadata_address_is_refused_even_to_the_trusted():
    url = "http://metadata.example:80"
    client = GuardedClient(url, trusted=[url], resolve=answering("169.254.169.254"))
    with pytest.raises(AddressRefused):
        get(client, url)


def test_one_address_inside_among_several_is_enough_to_refuse():
    client = GuardedClient(
        "https://hub.example", resolve=lambda host, port: ["93.184.216.34", "10.0.0.1"]
    )
    with pytest.raises(AddressRefused):
        get(client, "https://hub.example/")


def test_a_name_without_an_address_is_unreachable():
    def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror("no such host")

    with pytest.raises(SourceUnreachable, match=r"hub\.example"):
        get(GuardedClient("https://hub.example", resolve=resolve), "https://hub.example/")


def test_the_message_of_a_refusal_tells_no_address():
    client = GuardedClient("https://hub.example", resolve=answering("10.9.8.7"))
    with pytest.raises(AddressRefused) as caught:
        get(client, "https://hub.example/")
    assert "10.9.8.7" not in caught.value.message + str(caught.value.details)


def test_a_name_that_changes_its_mind_is_judged_again_and_its_answer_is_what_is_used():
    with serve(lambda request: request.answer(200, b"x")) as server:
        url = f"http://hub.example:{server.server_port}"
        client = GuardedClient(url, trusted=[url], resolve=answering("127.0.0.1", "169.254.1.1"))
        assert get(client, url) == b"x"
        assert server.seen[0][1]["Host"] == f"hub.example:{server.server_port}"
        with pytest.raises(AddressRefused):
            get(client, url)


REDIRECTS_INSIDE = [
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://017700000001/",
    "https://localhost/",
    "https://10.0.0.1/",
    "//127.0.0.1/",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "https://user:pw@127.0.0.1/",
    "https://example.com:22/",
    "http://example.com/",
]


@pytest.mark.parametrize("location", REDIRECTS_INSIDE)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_inside_is_refused(location, status):
    with serve(lambda request: request.redirect(location, status)) as server:
        with pytest.raises(AddressRefused):
            get(GuardedClient(server.url, trusted=[server.url]), server.url)
        assert len(server.seen) == 1


def test_an_endpoint_that_is_not_trusted_cannot_use_the_trust_of_others():
    """A stranger's redirect to a private endpoint that is allowed for itself."""
    client = GuardedClient(
        "https://stranger.example",
        trusted=["https://inside.example"],
        resolve=answering("10.0.0.1"),
    )
    with pytest.raises(AddressRefused):
        get(client, "https://inside.example/")


def test_redirects_end():
    with serve(lambda request: request.redirect(request.path + "x")) as server:
        with pytest.raises(SourceUnreachable, match="more than 5"):
            get(GuardedClient(server.url, trusted=[server.url]), server.url)
        assert len(server.seen) == 6


def test_a_redirect_on_the_same_host_keeps_the_token():
    def handle(request: Request) -> None:
        request.redirect("/b") if request.path == "/a" else request.answer(200, b"ok")

    with serve(handle) as server:
        client = GuardedClient(server.url, trusted=[server.url], token="hf_secret")
        assert get(client, f"{server.url}/a") == b"ok"
        assert [seen["Authorization"] for _, seen in server.seen] == ["Bearer hf_secret"] * 2


def test_the_token_stays_with_the_endpoint_for_good():
    with ExitStack() as stack:
        away = stack.enter_context(serve(lambda request: request.redirect(f"{home.url}/back")))

        def handle(request: Request) -> None:
            request.answer(200, b"ok") if request.path == "/back" else request.redirect(away.url)

        home = stack.enter_context(serve(handle))
        client = GuardedClient(home.url, trusted=[home.url, away.url], token="hf_secret")
        assert get(client, f"{home.url}/a") == b"ok"
        assert "Authorization" in home.seen[0][1]
        assert "Authorization" not in away.seen[0][1]
        assert "Authorization" not in home.seen[1][1]


def test_a_token_never_goes_out_in_the_clear_to_a_stranger():
    assert GuardedClient("http://hub.example", token="hf_secret")._token is None
    assert GuardedClient("https://hub.example", token="hf_secret")._token == "hf_secret"


def test_cookies_and_proxies_are_not_used(monkeypatch):
    with ExitStack() as stack:
        proxy = stack.enter_context(serve(lambda request: request.answer(500)))
        server = stack.enter_context(
            serve(lambda request: request.answer(200, b"ok", Set_Cookie="a=b"))
        )
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        client = GuardedClient(server.url, trusted=[server.url])
        assert get(client, server.url) == get(client, server.url) == b"ok"
        assert "Cookie" not in server.seen[1][1]
        assert not proxy.seen


def client_of(server) -> GuardedClient:
    return GuardedClient(server.url, trusted=[server.url])


def test_an_answer_that_is_too_large_is_cut_off():
    with (
        serve(lambda request: request.answer(200, b"x" * 5000)) as server,
        pytest.raises(SourceUnreachable, match="over 1000 bytes"),
    ):
        get(client_of(server), server.url)


def test_an_endless_answer_is_cut_off():
    def handle(request: Request) -> None:
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for _ in range(100_000):
            request.wfile.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")

    with serve(handle) as server, pytest.raises(SourceUnreachable, match="over 1000 bytes"):
        get(client_of(server), server.url)


@pytest.mark.parametrize("claimed", ["10", "9999999999999", "-1", "x", "5, 6"])
def test_a_length_that_lies_is_an_error(claimed):
    def handle(request: Request) -> None:
        request.answer(200, b"12345", Content_Length=claimed)
        request.hang_up()

    with serve(handle) as server, pytest.raises(SourceUnreachable):
        get(client_of(server), server.url)


def test_a_drip_of_bytes_ends_by_the_deadline():
    def handle(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        for _ in range(200):
            request.wfile.write(b"x")
            time.sleep(0.05)

    with serve(handle) as server:
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match="slow"):
            get(client_of(server), server.url, deadline_s=0.5)
        assert time.monotonic() - started < 3


def test_a_drip_of_headers_ends_by_the_deadline():
    def handle(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for n in range(200):
            request.wfile.write(b"X-%d: y\r\n" % n)
            time.sleep(0.05)

    with serve(handle) as server:
        started = time.monotonic()
        with pytest.raises(SourceUnreachable, match="slow"):
            get(client_of(server), server.url, deadline_s=0.5)
        assert time.monotonic() - started < 3


def test_headers_are_bounded():
    def handle(request: Request) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000)

    with serve(handle) as server, pytest.raises(SourceUnreachable):
        get(client_of(server), server.url)


def test_what_is_not_http_is_an_error():
    def handle(request: Request) -> None:
        request.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        request.hang_up()

    with serve(handle) as server, pytest.raises(SourceUnreachable):
        get(client_of(server), server.url)


def test_nobody_listening_is_an_error():
    with serve(lambda request: request.answer(200)) as server:
        client, url = client_of(server), server.url
    with pytest.raises(SourceUnreachable):
        get(client, url)


def test_a_compressed_answer_is_refused():
    with serve(lambda request: request.answer(200, b"\x1f\x8b", Content_Encoding="gzip")) as server:
        with pytest.raises(SourceUnreachable, match="compresses"):
            get(client_of(server), server.url)
        assert server.seen[0][1]["Accept-Encoding"] == "identity"


def test_tls_is_verified_by_host_name():
    with serve(lambda request: request.answer(200)) as server:
        url = f"https://hub.example:{server.server_port}"
        client = GuardedClient(url, trusted=[url], resolve=answering("127.0.0.1"))
        with pytest.raises(SourceUnreachable):
            get(client, url)
        assert not server.seen


def test_an_answer_that_is_no_json_is_an_error():
    with pytest.raises(SourceUnreachable, match="JSON"):
        Answer(200, {}, iter([b"[" * 100_000])).read_json()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of hub.example, signed by itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not here")
    folder = tmp_path_factory.mktemp("tls")
    chain, key = folder / "hub.pem", folder / "hub.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"),
            *("ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=hub.example"),
            *("-addext", "subjectAltName=DNS:hub.example", "-keyout", key, "-out", chain),
        ],
        check=True,
        capture_output=True,
    )
    return chain, key


@pytest.fixture
def tls_server(certificate):
    with serve(lambda request: request.answer(200, b"over TLS")) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server


def test_a_certificate_of_the_name_asked_for_is_good(tls_server, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    url = f"https://hub.example:{tls_server.server_port}"
    client = GuardedClient(url, trusted=[url], resolve=answering("127.0.0.1"))
    assert get(client, url) == b"over TLS"


@pytest.mark.parametrize("host", ["other.example", "127.0.0.1"])
def test_a_certificate_of_another_name_is_refused(tls_server, certificate, monkeypatch, host):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    url = f"https://{host}:{tls_server.server_port}"
    client = GuardedClient(url, trusted=[url], resolve=answering("127.0.0.1"))
    with pytest.raises(SourceUnreachable):
        get(client, url)


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_server):
    url = f"https://hub.example:{tls_server.server_port}"
    client = GuardedClient(url, trusted=[url], resolve=answering("127.0.0.1"))
    with pytest.raises(SourceUnreachable):
        get(client, url)
