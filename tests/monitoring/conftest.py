from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.journal import Journal
from monitoring.recorder import JournalWriter
from monitoring.traffic.facts import reset_memory


@pytest.fixture(autouse=True)
def a_new_writer() -> None:
    """Each test begins with a writer that remembers nothing of another test's rows."""
    reset_memory()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal.open(tmp_path / "journal", segment_bytes=8192)
    yield made
    made.close()


@pytest.fixture
def writer(journal: Journal) -> JournalWriter:
    return JournalWriter(journal)
