"""Very many predictions and labels as rows, and the roll-ups that follow from them, by SQL.

Rows are lean (no text, 45 bytes of scores) and complete: every column and index of the product's
own tables. That the roll-ups are what the product would have counted, `recount` says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

CHUNK = 20_000
LABELS = ("NEGATIVE", "NEUTRAL", "POSITIVE")
SEGMENTS = ("", "web")
SOURCES = ("audit", "delayed", "user")
SOURCE_SHARES = (0.2, 0.6, 0.2)
LABELLED_SHARE = 0.1
ACCURACY = 0.9
MEAN_DELAY_S = 12 * 3600
_US = 1_000_000
_SCORES = tuple(
    "{" + ", ".join(f'"{name}": {0.9 if name == top else 0.05}' for name in LABELS) + "}"
    for top in LABELS
)
_PREDICTION = (
    *("id", "at", "model", "version", "task", "text", "label", "score", "scores", "n_tokens"),
    *("truncated", "segment", "request_id", "dialect", "key_id"),
    *("tokenize_s", "queue_s", "inference_s", "total_s"),
)
_FEEDBACK = ("prediction_id", "revision", "label", "source", "at", "weight", "key_id")

Ints = npt.NDArray[np.int64]
Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`n` predictions of `model`, evenly over [start_us, end_us), microseconds since the epoch.

    The second half of that time is version 2's.
    """

    model: str
    n: int
    start_us: int
    end_us: int
    seed: int = 1


def insert(plan: Plan) -> int:
    """Add the rows of `plan` in order of time; how many of its predictions are labelled."""
    rng = np.random.default_rng(plan.seed)
    times = np.sort(rng.integers(plan.start_us, plan.end_us, plan.n))
    n_labelled = 0
    for start in range(0, plan.n, CHUNK):
        predictions, labels = _chunk(plan, times[start : start + CHUNK], rng)
        copy_rows("monitoring_prediction", _PREDICTION, predictions)
        copy_rows("monitoring_feedback", _FEEDBACK, labels)
        n_labelled += len(labels)
    return n_labelled


def _chunk(plan: Plan, times: Ints, rng: np.random.Generator) -> tuple[Rows, Rows]:
    n = len(times)
    ids, at = _uuid7(times, rng), _texts(times)
    predicted = rng.choice(len(LABELS), n, p=(0.3, 0.2, 0.5))
    version = 1 + (times >= (plan.start_us + plan.end_us) // 2)
    segment = rng.integers(0, len(SEGMENTS), n)
    is_truncated = False if connection.vendor == "sqlite" else "f"
    tail = ("", "bench", "", 0.0001, 0.0001, 0.003, 0.0032)
    task = "text-classification"
    predictions: Rows = [
        (id, when, plan.model, v, task, None, LABELS[p], 0.9, _SCORES[p], 12)  # noqa: RUF005
        + (is_truncated, SEGMENTS[s], *tail)
        for id, when, v, p, s in zip(
            ids, at, version.tolist(), predicted.tolist(), segment.tolist(), strict=True
        )
    ]
    chosen = np.flatnonzero(rng.random(n) < LABELLED_SHARE)
    return predictions, _labels(ids, times, predicted, chosen, rng)


def _labels(
    ids: Sequence[str], times: Ints, predicted: Ints, chosen: Ints, rng: np.random.Generator
) -> Rows:
    n = len(chosen)
    is_right = rng.random(n) < ACCURACY
    other = (predicted[chosen] + rng.integers(1, len(LABELS), n)) % len(LABELS)
    actual = np.where(is_right, predicted[chosen], other)
    source = rng.choice(len(SOURCES), n, p=SOURCE_SHARES)
    weight = np.where(source == 0, rng.integers(1000, 200_000, n), 1000)
    arrived = _texts(times[chosen] + (rng.exponential(MEAN_DELAY_S, n) * _US).astype(np.int64))
    return [
        (ids[i], 1, LABELS[a], SOURCES[s], when, w, "")
        for i, a, s, when, w in zip(
            chosen.tolist(), actual.tolist(), source.tolist(), arrived, weight.tolist(), strict=True
        )
    ]


def _uuid7(times: Ints, rng: np.random.Generator) -> list[str]:
    """Hexadecimal uuid7s of `times`."""
    raw = rng.integers(0, 256, (len(times), 16), dtype=np.uint8)
    milliseconds = (times // 1000).astype(">u8").view(np.uint8).reshape(-1, 8)
    raw[:, :6] = milliseconds[:, 2:]
    raw[:, 6] = raw[:, 6] & 0x0F | 0x70
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    text = raw.tobytes().hex()
    return [text[i : i + 32] for i in range(0, len(text), 32)]


def _texts(times: Ints) -> list[str]:
    """As the database writes times in UTC."""
    stamps = np.datetime_as_string(times.astype("datetime64[us]"))
    mark = "" if connection.vendor == "sqlite" else "+00"
    return [f"{stamp[:10]} {stamp[11:]}{mark}" for stamp in stamps.tolist()]


def copy_rows(table: str, columns: Sequence[str], rows: Rows) -> None:
    """Add `rows`, tuples of what the database's own driver takes, in one go."""
    names = ", ".join(f'"{name}"' for name in columns)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            marks = ", ".join("?" * len(columns))
            cursor.connection.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            return
        with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
            for lines in _batched(rows):
                copy.write(lines)


def _batched(rows: Rows) -> Iterator[str]:
    for start in range(0, len(rows), 1000):
        yield "".join(map(_line, rows[start : start + 1000]))


def _line(row: tuple[Any, ...]) -> str:
    return "\t".join(["\\N" if value is None else str(value) for value in row]) + "\n"


def roll_up(model: str) -> int:
    """Count the rows of `model` into its roll-ups: minutes from rows, hours and days from minutes.
    Return how many statements that took.

    For rows whose only label is their first one.
    """
    statements = list(_statements())
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, [model])
    return len(statements)


def _statements() -> Iterator[str]:
    counts, cells = "monitoring_predictioncount", "monitoring_confusioncell"
    key = "version, segment, label"
    yield (
        f"INSERT INTO {counts} (model, grain, bucket, {key}, n) "
        f"SELECT model, 'minute', {floor_sql('at', 'minute')} AS start, {key}, COUNT(*) "
        "FROM monitoring_prediction WHERE model = %s AND route = 'live' "
        f"GROUP BY model, start, {key} ORDER BY start"
    )
    yield from _coarser(counts, key, ("n",))
    key = "clock, version, segment, source, predicted, actual"
    sums = ("n", "weight", "weight_squared")
    for clock, at in (("predicted", "p.at"), ("arrived", "f.at")):
        yield (
            f"INSERT INTO {cells} (model, grain, bucket, {key}, {', '.join(sums)}) "
            f"SELECT p.model, 'minute', {floor_sql(at, 'minute')} AS start, '{clock}', p.version, "
            "p.segment, f.source, p.label, f.label, "
            "COUNT(*), SUM(f.weight), SUM(CAST(f.weight AS BIGINT) * f.weight) "
            "FROM monitoring_feedback f JOIN monitoring_prediction p ON p.id = f.prediction_id "
            "WHERE p.model = %s AND p.route = 'live' "
            "GROUP BY p.model, start, p.version, p.segment, f.source, p.label, f.label "
            "ORDER BY start"
        )
    yield from _coarser(cells, key, sums)


def _coarser(table: str, key: str, sums: Sequence[str]) -> Iterator[str]:
    totals = ", ".join(f"SUM({name})" for name in sums)
    for grain, finer in (("hour", "minute"), ("day", "hour")):
        yield (
            f"INSERT INTO {table} (model, grain, bucket, {key}, {', '.join(sums)}) "
            f"SELECT model, '{grain}', {floor_sql('bucket', grain)} AS start, {key}, {totals} "
            f"FROM {table} WHERE model = %s AND grain = '{finer}' "
            f"GROUP BY model, start, {key} ORDER BY start"
        )


def floor_sql(column: str, grain: str) -> str:
    """The beginning of the bucket that holds a time, as the roll-ups write it."""
    if connection.vendor != "sqlite":
        return f"date_trunc('{grain}', {column}, 'UTC')"
    length, rest = {"minute": (16, ":00"), "hour": (13, ":00:00"), "day": (10, " 00:00:00")}[grain]
    return f"substr({column}, 1, {length}) || '{rest}'"
