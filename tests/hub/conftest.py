"""The Hub alone on a real socket, in this process: real bytes on the wire, no model loaded."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from access.asgi import admit
from access.entrance import use_gate
from access.gate import Gate
from access.keyring import KeyFacts, KeyRing, digest_of
from access.ratelimit import make_limiter
from access.scopes import Scope
from config.middleware import Observed
from inference.http.errors import headers_of, status_of
from registry import queries, services
from registry.hub import app
from registry.hub.errors import ErrorTable
from registry.store import Store
from tests.hub.client import KEYS, HubClient
from tests.registry.builders import build_model_dir

SCOPES = {
    "admin": {Scope.ADMIN},
    "pusher": {Scope.READ, Scope.PUSH},
    "reader": {Scope.READ},
    "predictor": {Scope.PREDICT},
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    """Every test has an artifact store of its own."""
    settings.BELLWETHER_HOME = tmp_path / "home"
    queries._labels.cache_clear()
    return tmp_path / "home"


@pytest.fixture
def store(home: Path) -> Store:
    return Store(home / "artifacts")


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    return build_model_dir(tmp_path / "model")


@contextmanager
def serving() -> Iterator[str]:
    """The Hub on a free port; yields where it answers."""
    keys = {
        digest_of(KEYS[name]): KeyFacts(id=name, name=name, scopes=frozenset(scopes))
        for name, scopes in SCOPES.items()
    }
    hub = app.Hub(app.routes(), admit, ErrorTable(status_of, headers_of))
    config = uvicorn.Config(
        Observed(Starlette(routes=[hub])),
        port=0,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="hub-server")
    with use_gate(Gate(KeyRing(lambda: keys), make_limiter("100000/second"))):
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture
def url(transactional_db: None) -> Iterator[str]:
    """Where the Hub answers."""
    with serving() as url:
        yield url


@pytest.fixture
def connect(url: str) -> Iterator[Callable[..., HubClient]]:
    """connect("reader") is a client with that key; connect(None) has none."""
    opened: list[HubClient] = []

    def connect(key: str | None = "pusher") -> HubClient:
        headers = {} if key is None else {"Authorization": f"Bearer {KEYS[key]}"}
        opened.append(HubClient(httpx.Client(base_url=url, headers=headers, timeout=30)))
        return opened[-1]

    yield connect
    for client in opened:
        client.http.close()


@pytest.fixture
def hub(connect: Callable[..., HubClient]) -> HubClient:
    """A client that may push."""
    return connect("pusher")


@pytest.fixture
def tiny(transactional_db: None, model_dir: Path) -> str:
    """A model with one version, made from a directory."""
    services.register_directory(model_dir, "team/tiny", actor="alice")
    return "team/tiny"
