"""Fill one database with a year, and read its time lines: a process of its own."""

import time
from datetime import UTC, datetime, timedelta

import msgspec

from benchmarks.quality_here import in_one_go, tidy
from benchmarks.stats import percentile

N_WARM, N_COLD = 100, 20
WINDOWS = {
    "30 min": timedelta(minutes=30),
    "1 d": timedelta(days=1),
    "30 d": timedelta(days=30),
    "1 y": timedelta(days=365),
}


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds from the request to the rendered answer of `n_steps` steps.

    Cold: on a new connection, with every cache of the process empty. `cpu_ms` is this process's own
    mean time of a warm reading, which other work on the machine does not lengthen.
    """

    window: str
    step_s: int
    n_steps: int
    n_bytes: int
    p50_ms: float
    p99_ms: float
    cold_p50_ms: float
    cold_p99_ms: float
    cpu_ms: float


class Database(msgspec.Struct, frozen=True, kw_only=True):
    vendor: str
    n_rows: dict[str, int]
    fill_s: float
    readings: list[Reading]


def run_here() -> Database:
    """Fill and read the database of this process's settings."""
    import django

    django.setup()
    from django.db import connection

    from benchmarks import timelines_fill

    end = datetime.now(UTC).replace(second=0, microsecond=0)
    sizes: dict[str, int] = {}
    started = time.perf_counter()
    in_one_go(lambda: sizes.update(timelines_fill.fill(end)) or 0)
    fill_s = time.perf_counter() - started
    tidy()
    readings = [_reading(window, end) for window in WINDOWS]
    return Database(vendor=connection.vendor, n_rows=sizes, fill_s=fill_s, readings=readings)


def _reading(window: str, end: datetime) -> Reading:
    from django.db import connection

    body = _read(window, end)[1]
    shown = msgspec.json.decode(body)
    cpu_started = time.process_time()
    warm = sorted(_read(window, end)[0] for _ in range(N_WARM))
    cpu_ms = (time.process_time() - cpu_started) * 1000 / N_WARM
    cold = []
    for _ in range(N_COLD):
        connection.close()
        _forget()
        cold.append(_read(window, end)[0])
    cold.sort()
    return Reading(
        window=window,
        step_s=shown["step_s"],
        n_steps=len(shown["times"]),
        n_bytes=len(body),
        p50_ms=percentile(warm, 0.5),
        p99_ms=percentile(warm, 0.99),
        cold_p50_ms=percentile(cold, 0.5),
        cold_p99_ms=percentile(cold, 0.99),
        cpu_ms=cpu_ms,
    )


def _read(window: str, end: datetime) -> tuple[float, bytes]:
    """Milliseconds and the body of one answer of the endpoint."""
    from rest_framework.test import APIRequestFactory, force_authenticate

    from access.keyring import KeyFacts
    from access.scopes import Scope
    from benchmarks.timelines_fill import MODEL
    from monitoring.api.urls import urlpatterns

    view = next(each.callback for each in urlpatterns if each.name == "timeline")
    namespace, _, name = MODEL.partition("/")
    query = {"from": (end - WINDOWS[window]).isoformat(), "to": end.isoformat()}
    request = APIRequestFactory().get("/timeline", query)
    key = KeyFacts(id="bench", name="bench", scopes=frozenset({Scope.READ}))
    force_authenticate(request, user=None, token=key)  # type: ignore[arg-type]  # a key, no Token
    started = time.perf_counter()
    response = view(request, namespace=namespace, name=name)
    response.render()
    took_ms = (time.perf_counter() - started) * 1000
    if response.status_code != 200:
        raise RuntimeError(f"the time line is refused: {response.content!r:.500}")
    return took_ms, response.content


def _forget() -> None:
    """Empty what the process remembers between requests."""
    from monitoring.references import queries
    from monitoring.timelines import loading

    queries.forget()
    loading.forget()
