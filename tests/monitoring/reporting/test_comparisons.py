"""Versions and windows side by side."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitoring.errors import InvalidFilter
from monitoring.reporting.comparisons import load_comparison
from monitoring.rollups import By, Scope
from monitoring.windows import Window
from registry.errors import VersionNotFound
from tests.monitoring.builders import MODEL, NOW, register
from tests.monitoring.reporting.history import Event, remember

pytestmark = pytest.mark.django_db

WEEK = Window(NOW - timedelta(days=7), NOW)
ONE, TWO = (Scope(model=MODEL, window=WEEK, version=version) for version in (1, 2))


@pytest.fixture(autouse=True)
def registered() -> None:
    register(number=1)
    register(number=2)


def labelled(n_right: int, n_wrong: int, **changes: object) -> list[Event]:
    right, wrong = (
        Event(actual=actual, **changes)  # type: ignore[arg-type]
        for actual in ("POSITIVE", "NEGATIVE")
    )
    return [right] * n_right + [wrong] * n_wrong


def test_a_worse_version_is_seen() -> None:
    remember(labelled(90, 10, version=1) + labelled(60, 40, version=2))
    worse = load_comparison(TWO, ONE).result
    assert (worse.n_new, worse.n_base) == (100, 100)
    assert worse.accuracy.value == pytest.approx(-0.3)
    assert worse.p_value < 0.001
    assert worse.macro_f1.value is not None
    assert worse.macro_f1.high is not None
    assert worse.macro_f1.value < worse.macro_f1.high < 0


def test_an_equal_version_is_not_called_another() -> None:
    remember(labelled(90, 10, version=1) + labelled(45, 5, version=2))
    same = load_comparison(TWO, ONE).result
    assert same.accuracy.value == 0
    assert same.p_value == 1


def test_two_windows_of_all_versions_are_compared() -> None:
    early, late = Window(WEEK.start, NOW - timedelta(days=3)), Window(NOW - timedelta(days=3), NOW)
    remember(labelled(90, 10, at=NOW - timedelta(days=5)) + labelled(50, 50, version=2))
    new, base = (Scope(model=MODEL, window=window) for window in (late, early))
    result = load_comparison(new, base).result
    assert (result.accuracy.base, result.accuracy.new) == (0.9, 0.5)
    assert [row.label for row in result.classes] == ["NEGATIVE", "POSITIVE"]


def test_a_side_without_labels_is_no_verdict() -> None:
    remember(labelled(90, 10, version=1))
    result = load_comparison(TWO, ONE).result
    assert (result.verdict, result.accuracy.value, result.p_value) == (
        "INSUFFICIENT_DATA",
        None,
        1.0,
    )


def test_sides_that_share_predictions_are_refused() -> None:
    for new, base in (
        (ONE, ONE),
        (ONE, replace(ONE, version=None)),
        (ONE, replace(ONE, window=Window(WEEK.start - timedelta(days=1), WEEK.end))),
    ):
        with pytest.raises(InvalidFilter, match="share predictions"):
            load_comparison(new, base)
    with pytest.raises(ValueError, match="no groups"):
        load_comparison(replace(ONE, by=By.DAY), TWO)


def test_a_version_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(VersionNotFound):
        load_comparison(replace(ONE, version=9), ONE)
