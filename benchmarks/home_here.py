"""Fill one database with models and their past, and render the home page: a process of its own."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.quality_here import DAYS, in_one_go, n_bytes_on_disk, register, tidy
from benchmarks.stats import percentile

if TYPE_CHECKING:
    from django.test import Client

N_WARM = 5
N_BLOCKS = 128
DIMENSIONS = 384
KINDS = (
    *("drift", "drift", "quality", "estimate", "calibration"),
    *("traffic", "feedback", "errors", "latency", "stuck"),
)
PART = {"X-Bellwether-Part": "live"}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the request to the last byte of the page, without a network.

    `cpu_p50_ms` is the processor time of this process alone, whatever else the machine does.
    """

    what: str
    n_models: int
    n_predictions: int
    n_queries: int
    n_bytes: int
    p50_ms: float
    p99_ms: float
    longest_ms: float
    cpu_p50_ms: float


class Database(msgspec.Struct, frozen=True, kw_only=True):
    vendor: str
    n_bytes: int
    insert_s: float
    readings: list[Reading]


def run_here(steps: Sequence[tuple[int, int]], *, n_evaluations: int, n_pages: int) -> Database:
    """Fill the database of this process's settings step by step, and read the page after each.

    A step is how many models are added, and how many predictions they have together; each monitor
    of theirs was evaluated `n_evaluations` times.
    """
    import django

    django.setup()
    from django.db import connection

    client, readings = _client(), []
    insert_s, n_models, n_predictions = 0.0, 0, 0
    for more_models, more_predictions in steps:
        started = time.perf_counter()
        for i in range(n_models, n_models + more_models):
            _add_model(f"bench/m{i}", more_predictions // more_models, n_evaluations, seed=i)
        tidy()
        insert_s += time.perf_counter() - started
        n_models, n_predictions = n_models + more_models, n_predictions + more_predictions
        for what, headers in (("page", {}), ("refresh", PART)):
            sizes = {"n_models": n_models, "n_predictions": n_predictions}
            readings.append(_reading(client, what, headers, n_pages, **sizes))
    return Database(
        vendor=connection.vendor, n_bytes=n_bytes_on_disk(), insert_s=insert_s, readings=readings
    )


def _client() -> "Client":
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench", password="bench"))
    return client


def _add_model(model: str, n: int, n_evaluations: int, *, seed: int) -> None:
    from benchmarks import bulk

    register(model)
    end = datetime.now(UTC)
    plan = bulk.Plan(
        model=model,
        n=n,
        start_us=int((end - timedelta(days=DAYS)).timestamp()) * 1_000_000,
        end_us=int(end.timestamp()) * 1_000_000,
        seed=seed,
    )
    in_one_go(lambda: bulk.insert(plan))
    in_one_go(lambda: bulk.roll_up(model))
    in_one_go(lambda: _add_past(model, end, n_evaluations, seed))


def _add_past(model: str, now: datetime, n_evaluations: int, seed: int) -> int:
    """A live version with blocks of answers, a reference, evaluated monitors, and an alert."""
    from monitoring.models import Alert, Evaluation, Monitor, Reference, TrafficSum
    from registry.models import RegisteredModel, Route

    namespace, _, name = model.partition("/")
    row = RegisteredModel.objects.get(namespace=namespace, name=name)
    Route.objects.create(model=row, version=row.versions.get(number=2), mode="live", position=0)
    common: dict[str, Any] = {"model": model, "version": 2}
    made = {"created_by": "benchmark", "created_at": now}
    payload = _sums(seed)
    TrafficSum.objects.bulk_create(
        TrafficSum(
            **common,
            span="block",
            start_at=now - timedelta(minutes=5 * i),
            end_at=now,
            n=100,
            payload=payload,
        )
        for i in range(N_BLOCKS)
    )
    Reference.objects.create(
        **common, **made, origin="texts", state="ready", is_active=True, summary={"macro_f1": 0.9}
    )
    monitors = [
        Monitor(model=model, name=f"{kind} {i}", kind=kind, window_by="count", window=1000, **made)
        for i, kind in enumerate(KINDS)
    ]
    Monitor.objects.bulk_create(monitors)
    details = {"macro_f1": [0.8, 0.85, 0.9], "families": {str(i): {"p": 0.5} for i in range(20)}}
    Evaluation.objects.bulk_create(
        (
            Evaluation(
                **common,
                monitor=monitor,
                kind=monitor.kind,
                at=now - timedelta(minutes=i),
                verdict="OK",
                summary="as before",
                n_window=1000,
                details=details,
            )
            for monitor in Monitor.objects.filter(model=model)
            for i in range(n_evaluations)
        ),
        batch_size=2_000,
    )
    if seed % 3 == 0:
        Alert.objects.create(
            **common, kind="drift", state="firing", severity="info", opened_at=now, seen_at=now
        )
    return len(monitors) * n_evaluations


def _sums(seed: int) -> bytes:
    """A hundred answers as a block keeps them."""
    import numpy as np

    from benchmarks.bulk import LABELS
    from monitoring.drift.sample import make_sample
    from monitoring.drift.sums import encode, sums_of

    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([1, 1, 1], 100)
    sample = make_sample(
        labels=LABELS,
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        embeddings=rng.standard_normal((100, DIMENSIONS)),
        n_tokens=rng.poisson(20, 100) + 1,
        seconds=rng.gamma(4, 0.003, 100),
        scripts=["Latn"] * 100,
    )
    return encode(sums_of(sample))


def _reading(
    client: "Client",
    what: str,
    headers: dict[str, str],
    n_pages: int,
    *,
    n_models: int,
    n_predictions: int,
) -> Reading:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def ask() -> int:
        answer = client.get("/admin/", headers=headers)
        if answer.status_code != 200 or f"bench/m{random.randrange(n_models)}" not in answer.text:
            raise RuntimeError(f"the home page answered {answer.status_code}")
        return len(answer.content)

    for _ in range(N_WARM):
        ask()
    with CaptureQueriesContext(connection) as queries:
        n_bytes = ask()
    # Now: what is asked later clears the log.
    n_queries = len(queries)
    timed = [_timed_ms(ask) for _ in range(n_pages)]
    times, cpu = sorted(wall for wall, _ in timed), sorted(busy for _, busy in timed)
    return Reading(
        what=what,
        n_models=n_models,
        n_predictions=n_predictions,
        n_queries=n_queries,
        n_bytes=n_bytes,
        p50_ms=percentile(times, 0.5),
        p99_ms=percentile(times, 0.99),
        longest_ms=times[-1],
        cpu_p50_ms=percentile(cpu, 0.5),
    )


def _timed_ms(work: Any) -> tuple[float, float]:
    """By the clock, and of the processor."""
    started, busy = time.perf_counter(), time.process_time()
    work()
    return 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - busy)
