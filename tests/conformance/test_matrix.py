"""Stock clients of both dialects, and of Hugging Face's, do all that their scripts ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance import environments, matrix

ALL = [(client, version) for client in matrix.SCRIPTS for version in environments.CLIENTS[client]]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with matrix.a_server(tmp_path_factory.mktemp("embedder")) as url:
        yield url


@pytest.mark.slow
@pytest.mark.skipif(not environments.is_wanted(), reason="BELLWETHER_CLIENTS=1 runs stock clients")
@pytest.mark.parametrize(("client", "version"), ALL)
def test_a_client_does_all_that_its_script_asks(
    url: str, tmp_path: Path, client: str, version: str
) -> None:
    passed, said = matrix.run(client, version, url, tmp_path)
    assert all(passed.values()), said


def test_the_page_of_clients_says_what_the_scripts_do() -> None:
    """It lists only what passes, so it is what the scripts print when all of them pass."""
    every = {(c, version): dict.fromkeys(matrix.steps(c), True) for c, version in ALL}
    assert matrix.PAGE.read_text() == matrix.render(every)


def test_every_script_has_steps() -> None:
    assert all(len(matrix.steps(client)) > 3 for client in matrix.SCRIPTS)
