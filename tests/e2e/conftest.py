from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import databases
from tests.e2e.server import Server
from tests.inference.tiny import save_tiny

MODEL = "team/tiny"
ARGUMENTS = ("--no-starter",)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A home with two tiny versions, the first of them promoted; its server never runs."""
    root = tmp_path_factory.mktemp("prepared")
    server = Server(root / "home", *ARGUMENTS)
    for number in (1, 2):
        server.manage("register", str(save_tiny(root / f"v{number}", seed=number)), MODEL)
    server.manage("promote", MODEL, "1")
    yield server
    databases.drop_for(server.home)


@pytest.fixture
def new_server(tmp_path: Path, prepared: Server) -> Iterator[Callable[..., Server]]:
    """Make servers on one home that serve two tiny versions; all are ended at the end.

    With a worker beside them only where it is asked for: to start one costs as much as a server.
    """
    home, made = tmp_path / "home", []

    def make(*, worker: bool = False, **environment: str) -> Server:
        arguments = ARGUMENTS if worker else (*ARGUMENTS, "--no-worker")
        options = {"BELLWETHER_DEFAULT_MODEL": MODEL, **environment}
        server = Server(home, *arguments, like=prepared, **options)
        made.append(server)
        return server.start()

    yield make
    for server in made:
        server.stop()
    databases.drop_for(home)
