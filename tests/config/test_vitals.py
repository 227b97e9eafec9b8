"""What a serving process tells the dashboard of itself, by the parts that it is made of."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config import vitals
from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits
from inference.jobs.services import create_job
from inference.journal import SET_ASIDE, Journal
from monitoring.dashboard.probes import probes
from monitoring.recorder import JournalWriter
from tests.monitoring.builders import NOW, make_record


class Clock:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal.open(tmp_path / "journal")
    yield made
    made.close()


@pytest.fixture
def engine() -> Iterator[Engine]:
    made = Engine(EngineLimits(max_queue=10))
    made.start()
    yield made
    made.close(5)


def following(*reasons: str, is_reachable: bool = True) -> Any:
    return SimpleNamespace(reasons=lambda: list(reasons), is_registry_reachable=is_reachable)


def test_a_process_that_lacks_nothing_is_ready(engine: Engine) -> None:
    assert vitals.readiness(engine, following()).value == "yes"


def test_every_reason_against_it_is_told(engine: Engine) -> None:
    engine.close(5)
    found = vitals.readiness(engine, following("acme/mood loads", is_reachable=False))
    assert found.state == "bad"
    for reason in ("acme/mood loads", "registry cannot be read", "a lane of the engine has died"):
        assert reason in found.note


def test_an_empty_queue_is_fine(engine: Engine) -> None:
    found = vitals.queue(engine)
    assert (found.value.split()[0], found.state) == ("0", "good")


@pytest.mark.parametrize(("late_s", "state"), [(0.5, "good"), (10, "warn"), (90, "bad")])
def test_a_recorder_is_judged_by_its_lag(journal: Journal, late_s: float, state: str) -> None:
    clock = Clock()
    writer = JournalWriter(journal, clock=clock)
    journal.record([make_record(at=clock.at)])
    clock.at += late_s
    found = vitals.recorder(writer)
    assert (found.value, found.state) == (f"{late_s:.1f} s behind", state)


def test_a_database_that_is_away_is_told_by_the_recorder(journal: Journal) -> None:
    writer = JournalWriter(journal)
    writer.last_error = "OperationalError: no connection"
    found = vitals.recorder(writer)
    assert (found.state, found.note) == ("warn", "OperationalError: no connection")


def test_what_lies_in_journals_is_measured(journal: Journal) -> None:
    writer = JournalWriter(journal)
    assert vitals.kept(journal, writer).value == "0.0 MB"
    journal.record([make_record(text="x" * 2_000_000)])
    found = vitals.kept(journal, writer)
    assert (found.value, found.state) == ("2.0 MB", "good")


def test_damaged_pieces_are_told(journal: Journal) -> None:
    (journal.root / SET_ASIDE).mkdir()
    (journal.root / SET_ASIDE / "piece").write_bytes(b"?")
    found = vitals.kept(journal, JournalWriter(journal))
    assert (found.state, found.note) == ("warn", "1 damaged pieces lie in set-aside.")


@pytest.mark.django_db(transaction=True)
def test_jobs_are_counted() -> None:
    create_job("acme/mood", ["a text"], key_id="k", request_id="r", now=NOW)
    assert vitals.jobs().value == "1 waiting, 0 running"


def test_memory_says_what_limits_it() -> None:
    found = vitals.memory()
    assert " GB" in found.value
    assert found.note.startswith("The limit is that of")


def test_what_is_registered_is_asked_until_it_is_forgotten(
    engine: Engine, journal: Journal
) -> None:
    writer = JournalWriter(journal)
    vitals.register(engine, writer, journal, following())
    try:
        assert set(probes._probes) == {
            "readiness",
            "queue",
            "recorder",
            "journal",
            "jobs",
            "memory",
        }
    finally:
        vitals.forget()
    assert probes.read() == {}
