"""When a shadow is switched off, and when it is not."""

from inference.shadow_health import MAX_BAD_WINDOWS, MAX_FAILURES, WINDOW_S, ShadowHealth


def test_failures_in_a_row_switch_it_off_once():
    health = ShadowHealth(0.0)
    said = [health.failed() for _ in range(MAX_FAILURES + 5)]
    assert said == [""] * (MAX_FAILURES - 1) + ["failing"] + [""] * 5
    assert health.off == "failing"


def test_one_success_forgives_the_failures_before_it():
    health = ShadowHealth(0.0)
    for _ in range(5):
        for _ in range(MAX_FAILURES - 1):
            assert health.failed() == ""
        health.compared(1)
    assert health.off == ""


def drop_for(health: ShadowHealth, n_windows: int, *, n_compared: int, n_dropped: int) -> list[str]:
    said, now = [], 0.0
    for window in range(n_windows):
        health.compared(n_compared)
        now = (window + 1) * WINDOW_S
        said.append(health.offered(n_dropped, now))
    return said


def test_falling_behind_for_long_switches_it_off():
    said = drop_for(ShadowHealth(0.0), MAX_BAD_WINDOWS, n_compared=1, n_dropped=2)
    assert said == [""] * (MAX_BAD_WINDOWS - 1) + ["behind"]


def test_dropping_less_than_it_compares_is_sampling():
    said = drop_for(ShadowHealth(0.0), 20, n_compared=10, n_dropped=10)
    assert not any(said)


def test_a_good_window_ends_a_run_of_bad_ones():
    health = ShadowHealth(0.0)
    now = 0.0
    for window in range(12):
        health.compared(0 if window % MAX_BAD_WINDOWS else 5)
        now += WINDOW_S
        health.offered(1, now)
    assert health.off == ""


def test_nothing_is_judged_within_a_window():
    health = ShadowHealth(0.0)
    assert not any(health.offered(100, WINDOW_S - 1) for _ in range(100))


def test_what_is_stuck_is_off_for_that_reason():
    health = ShadowHealth(0.0)
    assert health.stick() == "stuck"
    assert [health.failed() for _ in range(MAX_FAILURES)] == [""] * MAX_FAILURES
    assert health.off == "stuck"
