from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """Small matrices take longer on several threads, far longer on a busy machine."""
    with threadpool_limits(limits=1):
        yield
