"""Several workers at once, each with a connection of its own."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from django.db import connection

from monitoring.evaluating import leases
from monitoring.evaluating.evaluator import evaluate
from monitoring.models import Alert, Evaluation, QualityStream
from tests.monitoring.evaluating.builders import (
    NOW,
    add_labels,
    add_monitor,
    go_live,
    keep_reference,
    usual_reference,
)

pytestmark = pytest.mark.django_db(transaction=True)
N_THREADS = 6
_Result = TypeVar("_Result")


def at_once(work: Callable[[int], _Result]) -> list[_Result]:
    """What `work` answers in as many threads, begun together."""
    barrier = threading.Barrier(N_THREADS)
    results: list[_Result] = []

    def run(i: int) -> None:
        try:
            barrier.wait(timeout=10)
            results.append(work(i))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(N_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(results) == N_THREADS
    return results


def test_of_many_at_once_one_leads() -> None:
    for i in range(3):
        # At first nobody has the lease, then it has just ended.
        at = NOW + i * 2 * leases.LENGTH
        assert sum(at_once(lambda j, at=at: leases.hold("scheduler", f"w{j}", at))) == 1


def test_of_many_evaluations_at_once_each_label_counts_once() -> None:
    go_live()
    keep_reference(usual_reference())
    add_labels(200, 100, at=NOW - timedelta(minutes=1))
    monitor = add_monitor("quality", fires_after=1)
    rows = at_once(lambda i: evaluate(monitor.pk, NOW + timedelta(milliseconds=i)))
    stream = QualityStream.objects.get()
    assert stream.n == 200
    # Whoever came later found the first one's row, or evaluated after it.
    assert {row.n_window for row in rows if row} == {200}
    assert Evaluation.objects.filter(details__has_key="error").count() == 0
    assert Alert.objects.count() == 1
