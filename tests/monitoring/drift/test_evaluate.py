import math

import numpy as np
import pytest

from monitoring.drift.evaluate import (
    Episode,
    detection_delay,
    episode_recall,
    false_alarm_rate,
    mean_time_between_false_alarms,
    median_delay,
    threshold_at,
)


def test_a_rate_of_nothing_is_undefined_and_anything_is_possible() -> None:
    rate = false_alarm_rate([])
    assert math.isnan(rate.value)
    assert (rate.low, rate.high) == (0.0, 1.0)


def test_no_alarm_in_a_hundred_may_still_be_four_in_a_hundred() -> None:
    rate = false_alarm_rate([False] * 100)
    assert rate.low == 0.0
    assert rate.high == pytest.approx(0.0362, abs=1e-4)


def test_always_alarming_is_a_rate_of_one() -> None:
    rate = false_alarm_rate([True] * 100)
    assert (rate.value, rate.high) == (1.0, 1.0)


def test_the_delay_counts_from_the_change_and_leaves_false_alarms_out() -> None:
    assert detection_delay([True, False, True], 2) == 0.0
    assert detection_delay([True, False, False, True], 1) == 2.0


def test_a_change_that_is_never_found_has_no_delay() -> None:
    assert math.isnan(detection_delay([True, False, False], 1))
    assert math.isnan(detection_delay([], 0))


def test_the_median_delay_counts_misses_as_latest() -> None:
    assert median_delay([1.0, math.nan, 3.0]) == 3.0
    assert median_delay([1.0, 2.0]) == 1.5
    assert median_delay([1.0, math.nan]) == math.inf
    assert math.isnan(median_delay([]))


def test_recall_is_the_share_of_episodes_with_an_alarm() -> None:
    episodes = [Episode(0, 2), Episode(4, 6)]
    assert episode_recall([False, True, True, True, False, False], episodes) == 0.5
    assert math.isnan(episode_recall([True], []))


def test_time_between_false_alarms_is_endless_without_any() -> None:
    assert mean_time_between_false_alarms([True, False, False, True]) == 2.0
    assert mean_time_between_false_alarms([False]) == math.inf
    assert math.isnan(mean_time_between_false_alarms([]))


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.2])
def test_no_more_than_the_rate_lies_above_its_threshold(rate: float) -> None:
    quiet = np.random.default_rng(0).standard_normal(2500)
    above = (quiet > threshold_at(quiet, rate)).mean()
    assert rate - 1 / 2500 <= above <= rate


def test_ties_at_the_threshold_do_not_alarm() -> None:
    assert threshold_at([0.0] * 90 + [1.0] * 10, 0.05) == 1.0


def test_a_rate_that_the_statistics_cannot_show_has_no_threshold() -> None:
    assert math.isnan(threshold_at(range(50), 0.01))
