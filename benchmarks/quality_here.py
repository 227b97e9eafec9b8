"""Fill one database with predictions and labels, and read their quality: a process of its own."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.stats import percentile

if TYPE_CHECKING:
    from monitoring.rollups import Scope

DAYS = 28
N_WINDOWS, N_WARM = 300, 20
SHORTEST_S = 600


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds over random windows of one kind of question."""

    what: str
    p50_ms: float
    p99_ms: float
    longest_ms: float


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One model with `n` predictions; `n_before` rows of others were in the tables already.

    `n_different` counts the roll-up counters of a whole day that a recount from the rows, by the
    product's own counters, found to differ. `raw_s` is one window counted from the rows instead.
    """

    n: int
    n_before: int
    n_labelled: int
    n_cells: int
    n_counts: int
    insert_s: float
    roll_up_s: float
    n_recounted: int
    n_different: int
    raw_s: float
    readings: list[Reading]


class Database(msgspec.Struct, frozen=True, kw_only=True):
    vendor: str
    n_bytes: int
    sizes: list[Size]


def run_here(sizes: Sequence[int]) -> Database:
    """Fill and read the database of this process's settings."""
    import django

    django.setup()
    from django.db import connection

    end = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(days=1)
    found, n_before = [], 0
    for n in sizes:
        found.append(_measure(n, n_before, end))
        n_before += n
    return Database(vendor=connection.vendor, n_bytes=n_bytes_on_disk(), sizes=found)


def _measure(n: int, n_before: int, end: datetime) -> Size:
    from benchmarks import bulk
    from monitoring.models import ConfusionCell, PredictionCount
    from monitoring.recounts import recount

    model, start = f"bench/n{n}", end - timedelta(days=DAYS)
    register(model)
    plan = bulk.Plan(
        model=model,
        n=n,
        start_us=int(start.timestamp()) * 1_000_000,
        end_us=int(end.timestamp()) * 1_000_000,
        seed=n,
    )
    insert_s, n_labelled = _timed(lambda: in_one_go(lambda: bulk.insert(plan)))
    roll_up_s, _ = _timed(lambda: in_one_go(lambda: bulk.roll_up(model)))
    tidy()
    day = (start + timedelta(days=9)).date()
    counted = recount(model, day, now=datetime.now(UTC))
    return Size(
        n=n,
        n_before=n_before,
        n_labelled=n_labelled,
        n_cells=ConfusionCell.objects.filter(model=model).count(),
        n_counts=PredictionCount.objects.filter(model=model).count(),
        insert_s=insert_s,
        roll_up_s=roll_up_s,
        n_recounted=counted.n_predictions + counted.n_labelled,
        n_different=len(counted.differences),
        raw_s=_timed(lambda: _count_rows(model, start, end))[0],
        readings=_readings(model, start, end),
    )


def in_one_go(work: Callable[[], int]) -> int:
    """Do `work` in one transaction, with the database set up for much of it."""
    from django.db import connection, transaction

    # Only for the load: a run that is cut short starts over.
    is_sqlite = connection.vendor == "sqlite"
    if is_sqlite:
        _execute(["PRAGMA synchronous = OFF", "PRAGMA cache_size = -500000"])
    with transaction.atomic():
        if not is_sqlite:
            _execute(["SET LOCAL work_mem = '512MB'"])
        return work()


def _execute(statements: Sequence[str]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def tidy() -> None:
    """What PostgreSQL does by itself after a while."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    connection.close()


def register(name: str) -> None:
    from registry.models import RegisteredModel, Version

    namespace, _, short = name.partition("/")
    model = RegisteredModel.objects.create(namespace=namespace, name=short)
    for number in (1, 2):
        Version.objects.create(
            model=model,
            number=number,
            digest=f"{number:064x}",
            manifest="{}",
            task="text-classification",
            labels=["NEGATIVE", "NEUTRAL", "POSITIVE"],
            pooling="mean",
            n_bytes=1,
            n_files=1,
            created_by="benchmark",
            source="benchmark",
        )


def _readings(model: str, start: datetime, end: datetime) -> list[Reading]:
    from monitoring.queries import load_quality
    from monitoring.rollups import By, Scope
    from monitoring.windows import Window

    rng = random.Random(1)

    def window() -> Window:
        span_min = int((end - start).total_seconds() // 60)
        longest = span_min / (SHORTEST_S / 60)
        length = max(SHORTEST_S // 60, int(SHORTEST_S / 60 * longest ** rng.random()))
        begin = start + timedelta(minutes=rng.randint(0, span_min - length))
        return Window(begin, begin + timedelta(minutes=length))

    kinds: dict[str, Callable[[], Scope]] = {
        "all": lambda: Scope(model=model, window=window()),
        "one version and segment": lambda: Scope(
            model=model, window=window(), version=rng.randint(1, 2), segment="web"
        ),
        "by version": lambda: Scope(model=model, window=window(), by=By.VERSION),
    }
    return [_reading(what, make, load_quality) for what, make in kinds.items()]


def _reading(what: str, make: Callable[[], "Scope"], load: Callable[["Scope"], object]) -> Reading:
    def read_s() -> float:
        scope = make()
        started = time.perf_counter()
        load(scope)
        return time.perf_counter() - started

    for _ in range(N_WARM):
        read_s()
    times = sorted(1000 * read_s() for _ in range(N_WINDOWS))
    return Reading(
        what=what,
        p50_ms=percentile(times, 0.5),
        p99_ms=percentile(times, 0.99),
        longest_ms=times[-1],
    )


def _count_rows(model: str, start: datetime, end: datetime) -> int:
    from django.db.models import Count

    from monitoring.models import Feedback

    week = {"prediction__at__gte": end - timedelta(days=7), "prediction__at__lt": end}
    rows = Feedback.objects.filter(prediction__model=model, **week)
    return len(list(rows.values("prediction__label", "label").annotate(n=Count("id"))))


def _timed(work: Callable[[], int]) -> tuple[float, int]:
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def n_bytes_on_disk() -> int:
    from django.conf import settings
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
    return sum(path.stat().st_size for path in Path(settings.BELLWETHER_HOME).glob("*.sqlite3*"))
