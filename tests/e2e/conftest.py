from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import databases
from tests.e2e.server import Server
from tests.inference.tiny import save_tiny

MODEL = "team/tiny"


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers on one home that serve two tiny versions; all are ended at the end."""
    home, made = tmp_path / "home", []

    def make(**environment: str) -> Server:
        server = Server(home, "--no-starter", BELLWETHER_DEFAULT_MODEL=MODEL, **environment)
        if not made:
            server.manage("migrate", "-v", "0")
            for number in (1, 2):
                directory = save_tiny(tmp_path / f"v{number}", seed=number)
                server.manage("register", str(directory), MODEL)
            server.manage("promote", MODEL, "1")
        made.append(server)
        return server.start()

    yield make
    for server in made:
        server.stop()
    databases.drop_for(home)
