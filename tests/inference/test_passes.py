"""Texts of another room, answered by one version and kept nowhere."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from access.errors import BellwetherError, DatabaseUnavailable
from inference import metrics
from inference.passes import PassRunner
from inference.recording import MemoryRecorder
from inference.records import PINNED, PredictionRecord
from inference.service import Service

# Its threads look at their connections, which tests before may have opened.
pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class GivenPass:
    texts: tuple[str, ...]
    model: str = "team/model"
    version: int = 1
    request_id: str = "given"


@dataclass
class GivenTexts:
    """Hands out its passes and remembers what became of them."""

    passes: list[GivenPass]
    lease_s: float = 0.03
    finished: list[Sequence[PredictionRecord]] = field(default_factory=list)
    failed: list[BellwetherError] = field(default_factory=list)
    released: list[GivenPass] = field(default_factory=list)
    n_renewed: int = 0
    outages: int = 0

    def claim(self, owner: str, *, now: datetime) -> GivenPass | None:
        if self.outages:
            self.outages -= 1
            raise DatabaseUnavailable("not now")
        return self.passes.pop(0) if self.passes else None

    def renew(self, held: GivenPass, *, now: datetime) -> bool:
        self.n_renewed += 1
        return True

    def finish(
        self, held: GivenPass, records: Sequence[PredictionRecord], *, now: datetime
    ) -> None:
        self.finished.append(records)

    def fail(self, held: GivenPass, error: BellwetherError, *, now: datetime) -> None:
        self.failed.append(error)

    def release(self, held: GivenPass) -> None:
        self.released.append(held)

    @property
    def n_ended(self) -> int:
        return len(self.finished) + len(self.failed)


def run(
    plane, source: GivenTexts, *, until=None, n: int = 1, max_not_loaded_s: float = 0.5
) -> None:
    recorder = MemoryRecorder()
    service = Service(plane.serving, plane.engine, recorder, is_counted=False)
    runner = PassRunner(
        service, recorder, source, idle_s=0.01, max_not_loaded_s=max_not_loaded_s, clock=lambda: NOW
    )
    is_done = until or (lambda: source.n_ended >= n)

    async def work() -> None:
        runner.start()
        for _ in range(1000):
            if is_done():
                break
            await asyncio.sleep(0.01)
        await runner.stop()

    asyncio.run(work())
    service.close()
    assert is_done()


def test_answers_come_back_in_order_and_are_recorded_nowhere(plane) -> None:
    source = GivenTexts([GivenPass(("good one", "bad one")), GivenPass(("good",))])
    run(plane, source, n=2)
    first, second = source.finished
    assert [(record.text, record.label) for record in first] == [
        ("good one", "POSITIVE"),
        ("bad one", "NEGATIVE"),
    ]
    assert [record.route for record in (*first, *second)] == [PINNED] * 3
    assert plane.recorder.records == []


def test_answers_are_not_counted(plane) -> None:
    def counted() -> float:
        return sum(
            sample.value
            for family in metrics.PREDICTIONS.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        )

    before = counted()
    run(plane, GivenTexts([GivenPass(("good one", "bad one"))]))
    assert counted() == before


def test_a_text_that_the_model_cannot_answer_fails_its_pass_and_no_other(plane) -> None:
    source = GivenTexts([GivenPass(("good", "poison")), GivenPass(("good",))])
    run(plane, source, n=2)
    assert [error.code for error in source.failed] == ["input_failed"]
    assert source.failed[0].details["index"] == 1
    assert len(source.finished) == 1


@pytest.mark.parametrize("absent", [{"version": 7}, {"model": "team/other"}])
def test_a_version_that_nobody_loaded_is_waited_for_and_then_told_with_the_remedy(
    plane, absent
) -> None:
    source = GivenTexts([GivenPass(("good",), **absent)])
    run(plane, source)
    [error] = source.failed
    assert error.code in {"version_not_loaded", "model_not_found"}
    if "version" in absent:
        assert "Promote it, or route it as a shadow" in error.message


def test_a_database_that_does_not_answer_stops_nothing(plane) -> None:
    source = GivenTexts([GivenPass(("good",))], outages=2)
    run(plane, source)
    assert len(source.finished) == 1


def test_a_stop_gives_the_pass_back(plane) -> None:
    source = GivenTexts([GivenPass(("good",), version=7)])
    run(plane, source, until=lambda: source.n_renewed >= 2, max_not_loaded_s=60)
    assert [held.version for held in source.released] == [7]
    assert source.n_ended == 0
