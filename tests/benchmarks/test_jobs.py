"""How a run beside a job is judged and shown."""

from benchmarks.jobs import Report, Round, limits, show
from benchmarks.load import LoadResult
from benchmarks.machine import Machine


def a_load(p99_ms: float) -> LoadResult:
    return LoadResult(
        clients=1,
        seconds=1.0,
        n=10,
        n_answers=10,
        n_errors=0,
        statuses={"200": 10},
        n_incomplete=0,
        n_unexpected=0,
        per_s=10.0,
        p50_ms=1.0,
        p95_ms=2.0,
        p99_ms=p99_ms,
        max_ms=9.0,
        cores=0.1,
    )


def a_report(*pairs: tuple[float, float]) -> Report:
    machine = Machine(
        at="now",
        cpu="cpu",
        n_cores=2,
        memory_gb=1.0,
        system="system",
        python="3.11",
        packages={},
        load_1m=0.0,
    )
    rounds = [
        Round(clients=clients, alone=a_load(alone), beside=a_load(beside), rows_per_s=5.0)
        for alone, beside in pairs
        for clients in (1, 8)
    ]
    return Report(
        benchmark="jobs", machine=machine, seconds=1.0, rounds=rounds, alone_rows_per_s=[7.0]
    )


def test_the_median_of_the_ratios_within_rounds_is_judged():
    judged = limits(a_report((10.0, 12.0), (20.0, 60.0), (10.0, 14.0)))
    assert [limit.value for limit in judged] == [1.4, 1.4]
    assert all(limit.is_met for limit in judged)
    assert not any(limit.is_met for limit in limits(a_report((10.0, 16.0))))


def test_a_run_is_told_for_each_number_of_clients():
    text = "\n".join(show(a_report((10.0, 12.0))))
    assert text.count("beside a job") == 2
    assert "a job alone: 7.0 rows/s" in text
