"""Estimates are held against what the labels showed later."""

import numpy as np
import pytest

from monitoring.quality.backtest import Outcome, fit_slope, running_errors
from monitoring.quality.estimates import Method
from monitoring.quality.report import UNDEFINED, Estimate


def around(value: float, width: float = 0.02) -> Estimate:
    return Estimate(value, value - width, value + width)


def test_each_method_s_error_is_kept_apart_and_weighed_by_labels() -> None:
    outcomes = [
        Outcome(Method.CBPE, around(0.90), around(0.88), 300),
        Outcome(Method.CBPE, around(0.90), around(0.94), 100),
        Outcome(Method.DOC, around(0.80), around(0.90), 100),
    ]
    cbpe, doc = running_errors(outcomes)
    assert (cbpe.method, cbpe.n_windows, cbpe.n_labelled) == (Method.CBPE, 2, 400)
    assert cbpe.absolute == pytest.approx((0.02 * 300 + 0.04 * 100) / 400)
    assert cbpe.bias == pytest.approx((0.02 * 300 - 0.04 * 100) / 400)
    assert (doc.method, doc.agreement) == (Method.DOC, 0.0)


def test_the_labels_own_noise_is_told_beside_the_error() -> None:
    rng = np.random.default_rng(91)
    outcomes = []
    for _ in range(400):
        shown = rng.binomial(200, 0.9) / 200
        error = 1.96 * float(np.sqrt(0.9 * 0.1 / 200))
        outcomes.append(Outcome(Method.ATC, around(0.9, 0.01), around(shown, error), 200))
    [atc] = running_errors(outcomes)
    # A perfect estimate is off by the noise of the labels and no more.
    assert atc.absolute == pytest.approx(atc.expected, rel=0.1)
    assert abs(atc.bias) < 0.003
    assert atc.agreement > 0.95


def test_windows_without_labels_do_not_count() -> None:
    assert running_errors([Outcome(Method.CBPE, around(0.9), UNDEFINED, 0)]) == ()
    assert running_errors([]) == ()


def test_few_windows_are_not_sufficient() -> None:
    one = Outcome(Method.CBPE, around(0.9), around(0.9), 50)
    assert [running_errors([one] * n)[0].is_sufficient for n in (4, 5)] == [False, True]


def test_a_slope_needs_five_windows_that_differ_and_stays_bounded() -> None:
    assert fit_slope([0.1] * 4, [0.3] * 4) == 1.0
    assert fit_slope([0.0] * 9, [0.1] * 9) == 1.0
    assert fit_slope([0.1] * 5, [0.15] * 5) == pytest.approx(1.5)
    assert fit_slope([0.01] * 5, [0.3] * 5) == 4.0
    assert fit_slope([0.1] * 5, [-0.1] * 5) == 0.0
