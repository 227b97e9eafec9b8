"""What goes wrong between the demo and a service is told with a remedy."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.demo import starting
from config.demo.service import DemoError, Service, wait_until


class Answers:
    """A server that answers everything with one status and body."""

    status, body = 200, b"{}"


@pytest.fixture
def there() -> Iterator[tuple[type[Answers], str]]:
    class Chosen(Answers):
        pass

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(Chosen.status)
            self.send_header("Content-Length", str(len(Chosen.body)))
            self.end_headers()
            self.wfile.write(Chosen.body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Chosen, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_told_with_where_another_comes_from(there, status: int) -> None:
    chosen, url = there
    chosen.status = status
    chosen.body = json.dumps({"error": {"code": "x", "message": "no such key"}}).encode()
    with pytest.raises(DemoError, match=r"no such key.*BELLWETHER_API_KEY"):
        Service(url, "k").ask("GET", "/api/v1/models")


def test_an_error_that_is_no_json_is_shown_as_it_is(there) -> None:
    chosen, url = there
    chosen.status, chosen.body = 502, b"bad gateway"
    with pytest.raises(DemoError, match=r"answered 502: bad gateway"):
        Service(url, "k").ask("GET", "/api/v1/models")


def test_what_is_not_there_is_found_to_be_none(there) -> None:
    chosen, url = there
    chosen.status = 404
    assert Service(url, "k").find("/api/v1/models/a/b") is None


def test_a_service_that_is_away_is_told(there) -> None:
    with pytest.raises(DemoError, match="does not answer"):
        Service("http://127.0.0.1:9", "k").ask("GET", "/api/v1/models")


def test_nothing_there_is_no_service_and_another_server_is_an_error(there) -> None:
    chosen, url = there
    assert starting.answers(url)
    assert not starting.answers("http://127.0.0.1:9")
    chosen.status = 404
    with pytest.raises(DemoError, match="Something else answers"):
        starting.answers(url)


def test_a_wait_ends() -> None:
    with pytest.raises(DemoError, match="After 0 s nothing came"):
        wait_until(lambda: False, "nothing came", longest_s=0)


def test_the_key_comes_from_the_environment_or_the_first_run(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv(starting.KEY, raising=False)
    with pytest.raises(DemoError, match=starting.KEY):
        starting.get_key(tmp_path)
    first_run = {"api_key": "from.file", "admin_user": "admin", "admin_password": "hidden"}
    (tmp_path / "first-run.json").write_text(json.dumps(first_run))
    assert starting.get_key(tmp_path) == "from.file"
    assert "hidden" not in starting.get_sign_in(tmp_path)
    monkeypatch.setenv(starting.KEY, "from.environment")
    assert starting.get_key(tmp_path) == "from.environment"


def test_a_service_that_cannot_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    manage = tmp_path / "manage.py"
    manage.write_text("raise SystemExit('no database for me')")
    with (
        pytest.raises(DemoError, match="no database for me"),
        starting.started(manage, tmp_path / "home", keep=False, tell=lambda what: None),
    ):
        pass


def test_a_service_of_its_own_is_ended_with_the_block(tmp_path: Path) -> None:
    manage = tmp_path / "manage.py"
    manage.write_text(
        "import time\nprint('Bellwether serves on http://127.0.0.1:1 (docs)', flush=True)\n"
        "time.sleep(60)\n"
    )
    said: list[str] = []
    with starting.started(manage, tmp_path / "home", keep=False, tell=said.append) as running:
        assert running.url == "http://127.0.0.1:1"
        assert running.pid
    assert not Path(f"/proc/{running.pid}").exists()
    assert str(running.log) in said[0]
