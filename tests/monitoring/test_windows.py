"""Windows become few buckets that cover them exactly."""

import doctest
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring import windows
from monitoring.errors import InvalidWindow
from monitoring.windows import LENGTHS, Grain, Window, ceil, floor, parse_time, parse_window, split

NOW = datetime(2026, 11, 21, 12, 30, 30, tzinfo=UTC)
MINUTES = st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)).map(
    lambda at: at.replace(second=0, microsecond=0)
)


@given(MINUTES, MINUTES, st.sampled_from(Grain))
def test_a_split_covers_its_window_once_with_few_buckets(
    one: datetime, other: datetime, coarsest: Grain
) -> None:
    window = Window(min(one, other), max(one, other))
    runs = split(window, coarsest=coarsest)
    at = window.start
    for run in runs:
        assert run.start == at < run.end
        assert floor(run.start, run.grain) == run.start
        assert floor(run.end, run.grain) == run.end
        at = run.end
    assert at == window.end
    assert len(runs) <= 5
    finer = [run for run in runs if run.grain is not coarsest]
    assert sum((run.end - run.start) / LENGTHS[run.grain] for run in finer) <= 2 * 59 + 2 * 23


@given(st.datetimes(datetime(2001, 1, 1), timezones=st.just(UTC)), st.sampled_from(Grain))
def test_floor_and_ceil_hold_a_time_between_them(at: datetime, grain: Grain) -> None:
    if at.year > 9000:
        return
    assert floor(at, grain) <= at <= ceil(at, grain)
    assert ceil(at, grain) - floor(at, grain) in (timedelta(), LENGTHS[grain])


def test_without_times_a_window_is_the_last_day() -> None:
    end = datetime(2026, 11, 21, 12, 31, tzinfo=UTC)
    assert parse_window(None, None, now=NOW) == Window(end - timedelta(days=1), end)


def test_a_window_is_widened_to_whole_minutes() -> None:
    window = parse_window("2026-11-21T10:00:59Z", "2026-11-21T10:02:00.5Z", now=NOW)
    assert (window.start.minute, window.end.minute) == (0, 3)


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2026-11-21T10:00:00Z", 10),
        ("2026-11-21T10:00:00", 10),
        ("2026-11-21T10:00:00+02:00", 8),
        ("2026-11-21", 0),
    ],
)
def test_times_are_utc_unless_they_name_a_zone(text: str, hour: int) -> None:
    assert parse_time(text, "from") == datetime(2026, 11, 21, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "field"),
    [
        ("yesterday", None, "from"),
        ("2026-11-21T10:00:00 02:00", None, "from"),
        ("2026-13-01", None, "from"),
        ("0001-01-01T00:00:00+14:00", None, "from"),
        ("1999-12-31", None, "from"),
        (None, "9999-12-31T23:59:59.9", "to"),
        (None, "", None),
        ("2026-11-22", "2026-11-21", "from"),
        ("2026-11-21", "2026-11-21", "from"),
        ("2030-01-01", None, "from"),
        ("2020-01-01", "2026-01-01", "from"),
        ("1" * 10_000, None, "from"),
    ],
)
def test_a_window_that_makes_no_sense_names_its_field(
    start: str | None, end: str | None, field: str | None
) -> None:
    if field is None:
        assert parse_window(start, end, now=NOW)
        return
    with pytest.raises(InvalidWindow) as refused:
        parse_window(start, end, now=NOW)
    assert refused.value.details["field"] == field
    assert len(refused.value.message) < 200


def test_the_examples_hold() -> None:
    assert doctest.testmod(windows).failed == 0
