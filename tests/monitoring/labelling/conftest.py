from collections.abc import Iterator

import pytest

from monitoring.labelling.plans import forget_plans


@pytest.fixture(autouse=True)
def fresh_plans() -> Iterator[None]:
    """Plans are remembered for seconds, which is longer than a test."""
    forget_plans()
    yield
    forget_plans()
