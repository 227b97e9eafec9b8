import structlog.testing

from inference.engine.observer import NullObserver, ShieldedObserver
from tests.inference.engine.helpers import Tally


class Grumpy:
    """Fails whatever it is told."""

    def batch_done(self, n: int, padded_tokens: int, real_tokens: int, inference_s: float) -> None:
        raise RuntimeError("no")

    def refused(self, code: str) -> None:
        raise RuntimeError("no")

    def abandoned(self, n: int) -> None:
        raise RuntimeError("no")


def test_everything_is_passed_on() -> None:
    tally = Tally()
    shielded = ShieldedObserver(tally)
    shielded.batch_done(2, 20, 15, 0.1)
    shielded.refused("queue_full")
    shielded.abandoned(3)
    assert tally.batches == [(2, 20, 15)]
    assert tally.refusals == {"queue_full": 1}
    assert tally.n_abandoned == 3


def test_what_an_observer_raises_is_swallowed_and_logged_once() -> None:
    shielded = ShieldedObserver(Grumpy())
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            shielded.batch_done(1, 1, 1, 0.1)
            shielded.refused("queue_full")
            shielded.abandoned(1)
    assert [line["event"] for line in logs] == ["engine.observer_failed"]


def test_the_null_observer_takes_anything() -> None:
    shielded = ShieldedObserver(NullObserver())
    with structlog.testing.capture_logs() as logs:
        shielded.batch_done(1, 1, 1, 0.1)
        shielded.refused("lane_failed")
        shielded.abandoned(1)
    assert logs == []
