"""Profiles: small, exact, and in them is what the slots held, once and for good."""

import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.drift.sums import sums_of
from monitoring.models import Span, TrafficProfile, TrafficSum
from monitoring.traffic import compacting, profiles
from monitoring.traffic.compacting import compact, drop_old, merge_slots
from monitoring.traffic.profiling import profile_hours
from monitoring.traffic.sampling import sample_of
from tests.monitoring.builders import MODEL, NOW
from tests.monitoring.traffic.builders import AJournal, keep_traffic, traffic

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LATER = NOW + 2 * DAY

COUNTS = st.one_of(st.just(0), st.integers(1, 300), st.integers(1, 2**40))


@given(st.lists(st.lists(COUNTS, min_size=64, max_size=64), min_size=2, max_size=2))
def test_profiles_come_back_as_they_were(rows: list[list[int]]) -> None:
    profile = np.array(rows, dtype=np.int64)
    found = profiles.decode(profiles.encode(profile))
    np.testing.assert_array_equal(found, profile)


def test_an_hours_profile_is_small() -> None:
    records = traffic(np.random.default_rng(1), 3600, text=None)
    profile = profiles.profile_of(sums_of(sample_of(records)))
    assert profile.sum(axis=1).tolist() == [3600, 3600]
    assert len(profiles.encode(profile)) < 300


@pytest.mark.parametrize(
    "data", [b"", b"\x09", b"\x01", b"\x01\x00\x09\x00", b"\x01\x00\x01\x07\x00"]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="profile"):
        profiles.decode(data)


def kept(grain: str) -> dict[tuple[int, str], Any]:
    """The profiles of all hours or days, added up by version and segment."""
    found: dict[tuple[int, str], Any] = {}
    for row in TrafficProfile.objects.filter(grain=grain):
        key = row.version, row.segment
        found[key] = found.get(key, profiles.nothing()) + profiles.decode(row.payload)
    return found


def expected(records: list[Any]) -> dict[tuple[int, str], Any]:
    """The same from the records."""
    places = {(record.version, record.segment) for record in records}
    return {
        key: profiles.profile_of(
            sums_of(sample_of([r for r in records if (r.version, r.segment) == key]))
        )
        for key in places
    }


def assert_same(found: dict[Any, Any], wanted: dict[Any, Any]) -> None:
    assert set(found) == set(wanted)
    for key, profile in wanted.items():
        np.testing.assert_array_equal(found[key], profile)


@pytest.mark.django_db
def test_hours_and_days_hold_what_was_answered() -> None:
    rng = np.random.default_rng(2)
    records = traffic(rng, 300, every_s=600, segments=("", "web"), versions=(1, 2), text=None)
    keep_traffic(records)
    compact(NOW + 10 * DAY)
    assert_same(kept("hour"), expected(records))
    assert_same(kept("day"), expected(records))
    days = set(TrafficProfile.objects.filter(grain="day").values_list("bucket", flat=True))
    assert days == {(NOW + i * DAY).replace(hour=0, minute=0) for i in range(3)}


@pytest.mark.django_db
def test_compacting_at_any_time_between_late_records_counts_each_once() -> None:
    rng, draw, journals = np.random.default_rng(3), random.Random(3), [AJournal(), AJournal()]
    records = traffic(rng, 240, every_s=90, segments=("", "web"), text=None)
    draw.shuffle(records)
    for start in range(0, 240, 20):
        draw.choice(journals).keep(records[start : start + 20])
        if draw.random() < 0.6:
            compact(NOW + DAY + draw.randint(-1, 8) * HOUR)
    compact(LATER)
    assert_same(kept("hour"), expected(records))
    assert_same(kept("day"), expected(records))
    compact(LATER)
    assert_same(kept("hour"), expected(records))


@pytest.mark.django_db
def test_a_merge_that_fails_leaves_profiles_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    records = traffic(np.random.default_rng(4), 60, every_s=10, text=None)
    keep_traffic(records)

    def fail(*_: object) -> int:
        raise OSError("the database went away")

    with monkeypatch.context() as patched:
        patched.setattr(compacting, "_merge_rows", fail)
        with pytest.raises(OSError, match="went away"):
            merge_slots(LATER)
    assert not TrafficProfile.objects.exists()
    merge_slots(LATER)
    assert_same(kept("hour"), expected(records))


def before_there_were_profiles(records: list[Any]) -> None:
    """Hours and slots as an older release left them."""
    keep_traffic(records)
    merge_slots(LATER)
    TrafficProfile.objects.all().delete()
    TrafficSum.objects.update(profile=None, profiled_at=None)


@pytest.mark.django_db
def test_hours_from_before_there_were_profiles_are_taken_in_piece_by_piece() -> None:
    records = traffic(np.random.default_rng(5), 120, every_s=300, segments=("", "web"), text=None)
    before_there_were_profiles(records)
    n_hours = TrafficSum.objects.filter(span=Span.HOUR).count()
    taken = [profile_hours(LATER, most=6) for _ in range(4)]
    assert 0 < taken[0] <= 12
    assert sum(taken) == n_hours
    assert profile_hours(LATER) == 0
    assert_same(kept("hour"), expected(records))
    assert_same(kept("day"), expected(records))


@pytest.mark.django_db
def test_an_hour_that_is_taken_in_late_counts_its_later_slots_too() -> None:
    rng = np.random.default_rng(6)
    early, late = traffic(rng, 40, text=None), traffic(rng, 30, text=None)
    before_there_were_profiles(early)
    keep_traffic(late)
    compact(LATER)
    assert_same(kept("hour"), expected([*early, *late]))


@pytest.mark.django_db
def test_profiles_outlive_the_sums(settings: Any) -> None:
    records = traffic(np.random.default_rng(7), 30, text=None)
    keep_traffic(records)
    compact(LATER)
    settings.BELLWETHER_SUMS_DAYS = 2
    drop_old(NOW + 10 * DAY)
    assert not TrafficSum.objects.filter(span=Span.HOUR, model=MODEL).exists()
    assert_same(kept("day"), expected(records))


@pytest.mark.django_db
def test_slots_carry_their_profile() -> None:
    records = traffic(np.random.default_rng(8), 50, segments=("", "web"), text=None)
    keep_traffic(records, chunk=7)
    total: dict[tuple[int, str], Any] = {}
    for row in TrafficSum.objects.filter(span=Span.SLOT):
        key = row.version, row.segment
        total[key] = total.get(key, profiles.nothing()) + profiles.decode(row.profile)
    assert_same(total, expected(records))
    assert not TrafficSum.objects.filter(span=Span.BLOCK).exclude(profile=None).exists()
