"""The classic rule alarms as often as its documentation says: often."""

import re
from pathlib import Path

import pytest

from monitoring.quality.classic import BALANCED, FALSE_ALARMS, RARE, false_alarm_rate, has_dropped

DOCS = Path(__file__).parents[3] / "docs" / "explanation" / "quality.md"


@pytest.mark.parametrize("stream", FALSE_ALARMS, ids=["balanced", "rare"])
@pytest.mark.parametrize("n", [50, 100, 200, 500, 1000])
def test_the_published_rates_are_measured(stream, n: int) -> None:  # type: ignore[no-untyped-def]
    measured = false_alarm_rate(n, stream)
    # 20,000 draws know a rate to .007 (two standard errors); the table has two digits.
    assert measured == pytest.approx(FALSE_ALARMS[stream][n], abs=0.012)


def test_the_documentation_shows_the_same_table() -> None:
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) \| ([\d.]+) \|$", DOCS.read_text(), re.MULTILINE)
    shown = {int(n): (float(balanced), float(rare)) for n, balanced, rare in rows}
    assert shown == {n: (FALSE_ALARMS[BALANCED][n], FALSE_ALARMS[RARE][n]) for n in shown}
    assert len(shown) == 5


def test_a_frozen_baseline_alarms_less_by_chance_than_the_window_before() -> None:
    for n in (50, 200, 1000):
        assert false_alarm_rate(n, RARE, n_baseline=10_000) < false_alarm_rate(n, RARE)


def test_a_larger_drop_is_rarer() -> None:
    rates = [false_alarm_rate(100, drop=drop) for drop in (0.02, 0.05, 0.10)]
    assert rates == sorted(rates, reverse=True)


def test_the_drop_is_a_part_of_what_was() -> None:
    assert not has_dropped(0.855, 0.90)
    assert has_dropped(0.854, 0.90)
    assert not has_dropped(0.0, 0.0)
