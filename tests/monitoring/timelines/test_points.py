"""Thinned evaluations keep what is bad."""

from monitoring.timelines.points import choose_shown


def test_what_is_bad_outweighs_newer_good_answers() -> None:
    rows = [
        (1, 0, "OK", 10),
        (1, 0, "DRIFT", 4),
        (1, 0, "INSUFFICIENT_DATA", 11),
        (1, 1, "INSUFFICIENT_DATA", 13),
        (1, 1, "OK", 12),
        (2, 0, "OK", 9),
    ]
    assert choose_shown(rows) == [4, 9, 12]


def test_of_equal_verdicts_the_newest_is_shown() -> None:
    assert choose_shown([(1, 0, "DRIFT", 4), (1, 0, "DEGRADED", 7)]) == [7]
