from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.backups.retention import Dated, Policy, decide, parse_policy, parse_span
from registry.errors import InvalidField, RetentionRefused

START = datetime(2026, 1, 1, tzinfo=UTC)


def hours(*numbers: float) -> list[Dated]:
    return [Dated(f"h{n}", START + timedelta(hours=n)) for n in numbers]


def kept(snapshots, text: str) -> list[str]:
    return [one.name for one in decide(snapshots, parse_policy(text)) if one.is_kept]


def test_last_keeps_the_newest():
    assert kept(hours(1, 2, 3), "last=2") == ["h3", "h2"]


def test_hourly_keeps_the_newest_of_each_hour_that_has_one():
    assert kept(hours(1, 1.5, 2, 9), "hourly=2") == ["h9", "h2"]
    assert kept(hours(1, 1.5), "hourly=5") == ["h1.5"]


def test_daily_weekly_monthly_and_yearly_count_their_own_spans():
    snapshots = [Dated(f"d{n}", START + timedelta(days=n)) for n in range(0, 800, 10)]
    assert kept(snapshots, "daily=3") == ["d790", "d780", "d770"]
    assert kept(snapshots, "yearly=3") == ["d790", "d720", "d360"]
    assert len(kept(snapshots, "monthly=12")) == 12
    assert len(kept(snapshots, "weekly=4")) == 4


def test_rules_add_up_and_say_why():
    decisions = decide(hours(0, 1, 30), parse_policy("last=1 daily=2"))
    assert {one.name: one.reasons for one in decisions} == {
        "h30": ("last", "daily"),
        "h1": ("daily",),
        "h0": (),
    }


def test_within_counts_back_from_the_newest():
    assert kept(hours(0, 10, 20), "within=10h") == ["h20", "h10"]


def test_a_tag_keeps_its_snapshots_for_ever():
    tagged = Dated("old", START, frozenset({"release"}))
    assert kept([tagged, *hours(5, 6)], "last=1 tag=release") == ["h6", "old"]


def test_a_policy_never_forgets_everything():
    with pytest.raises(RetentionRefused, match="every"):
        decide(hours(1, 2), parse_policy("tag=nobody"))
    with pytest.raises(RetentionRefused, match="daily=7"):
        decide(hours(1), Policy({"last": 0}))
    assert decide([], parse_policy("last=1")) == ()


@pytest.mark.parametrize(
    "text",
    [
        "daily",
        "daily=-1",
        "daily=x",
        "fortnightly=2",
        "within=",
        "within=3",
        "tag=",
        "last=1000001",
    ],
)
def test_what_is_no_policy_is_refused(text):
    with pytest.raises(InvalidField, match=r"keep|last|daily|within|fortnightly|tag"):
        parse_policy(text)


def test_a_span_is_read_in_restics_units():
    assert parse_span("1y6m2w3d12h") == timedelta(days=365 + 180 + 14 + 3, hours=12)


@given(
    st.lists(st.integers(0, 20_000), min_size=1, max_size=40, unique=True),
    st.integers(1, 10),
    st.sampled_from(["last", "hourly", "daily", "weekly", "monthly", "yearly"]),
)
def test_the_newest_always_stays_and_no_rule_keeps_more_than_its_number(numbers, count, word):
    names = kept(hours(*numbers), f"{word}={count}")
    assert names[0] == f"h{max(numbers)}"
    assert len(names) <= count
