"""Cells and bare figures as a run would have measured them."""

from benchmarks.cells import Cell
from benchmarks.load import LoadResult
from benchmarks.raw import BatchOne, Layout, Raw, Sorted, paced

LANE = Layout(name="lane", n_lanes=1, n_threads=1)
LANES = Layout(name="lanes", n_lanes=2, n_threads=1)


def a_load(
    *,
    clients: int = 1,
    p50_ms: float = 5.0,
    per_s: float = 100.0,
    n_answers: int = 1000,
    n_errors: int = 0,
    n_unexpected: int = 0,
) -> LoadResult:
    return LoadResult(
        clients=clients,
        seconds=8,
        n=900,
        n_answers=n_answers,
        n_errors=n_errors,
        statuses={"200": n_answers},
        n_incomplete=0,
        n_unexpected=n_unexpected,
        per_s=per_s,
        p50_ms=p50_ms,
        p95_ms=p50_ms * 2,
        p99_ms=p50_ms * 3,
        max_ms=p50_ms * 4,
        cores=0.03,
    )


def a_cell(side: str, load: LoadResult, *, number: int = 1) -> Cell:
    return Cell(side=side, round=number, load=load, cpu_ms=1.5, idle_cores=0.01)


def a_raw(*, total_ms: float = 4.5, rates: tuple[float, float] = (150.0, 200.0)) -> Raw:
    return Raw(
        device="cpu float32",
        n_tokens_mean=25.0,
        batch_one=[
            BatchOne(
                layout=layout,
                tokenize_ms=0.1,
                forward_ms=total_ms - 0.2,
                decode_ms=0.1,
                total_ms=total_ms,
                total_p95_ms=total_ms * 2,
            )
            for layout in (LANE, paced(LANE))
        ],
        oracle=[
            Sorted(layout=LANE, batch=8, per_s=rates[0]),
            Sorted(layout=LANES, batch=8, per_s=rates[1]),
        ],
        labels=["POSITIVE"],
    )
