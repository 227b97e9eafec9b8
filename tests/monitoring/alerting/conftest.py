from collections.abc import Iterator

import pytest

from monitoring.notifiers import memory


@pytest.fixture(autouse=True)
def boxes() -> Iterator[None]:
    memory.clear()
    yield
    memory.clear()
