"""Traffic whose neighbours hang together varies more, and the reference knows by how much."""

import numpy as np
import numpy.typing as npt
import pytest

from monitoring.drift import dispersion, packing
from monitoring.drift.base import Finding
from monitoring.drift.dispersion import Dispersion, of_codes, of_means, of_values, thinned
from monitoring.drift.mean_embedding import MeanEmbedding
from monitoring.drift.moments import estimate
from monitoring.drift.reference import Observed, Reference, decode, encode, fit
from monitoring.drift.sample import Sample, make_sample
from monitoring.drift.softmax import Softmax
from monitoring.drift.sums import sums_of

D, RUN = 12, 25
N_REFERENCE, N_WINDOW = 4_000, 200


def in_runs(n: int, share: float, rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """[n, D] of unit variance, of which `share` is common to RUN neighbours."""
    common = np.repeat(rng.standard_normal((-(-n // RUN), D)), RUN, axis=0)[:n]
    rows: npt.NDArray[np.float64] = rng.standard_normal((n, D)) * np.sqrt(1 - share)
    rows += np.sqrt(share) * common
    return rows


def as_sample(rows: npt.NDArray[np.float64]) -> Sample:
    """Answers whose probability follows the first number."""
    positive = 1 / (1 + np.exp(-rows[:, 0]))
    probabilities = np.stack([1 - positive, positive], axis=1)
    return make_sample(
        labels=("no", "yes"),
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        embeddings=rows,
        n_tokens=np.full(len(rows), 9),
    )


def fitted(rows: npt.NDArray[np.float64], *, is_ordered: bool = True) -> Reference:
    return fit(as_sample(rows), rng=np.random.default_rng(1), is_ordered=is_ordered)


def observe(reference: Reference, rows: npt.NDArray[np.float64]) -> Observed:
    return Observed(sums=sums_of(as_sample(rows), reference.basis))


def test_independent_items_have_no_dispersion() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        rows = rng.standard_normal((2_000, D))
        moments = estimate(rows.astype(np.float32))
        found.append(of_means(rows, moments.trace, moments.trace_squared))
    # Two lengths each at a level of one in a hundred.
    assert sum(each != dispersion.ALONE for each in found) <= 4


def test_runs_that_share_something_have_the_factor_that_theory_says() -> None:
    rows = in_runs(20_000, 0.2, np.random.default_rng(3))
    moments = estimate(rows.astype(np.float32))
    found = of_means(rows, moments.trace, moments.trace_squared)
    for length, tolerance in zip(dispersion.LENGTHS, (0.05, 0.15, 0.3), strict=True):
        assert found.at(length)[0] == pytest.approx(1 + 0.2 * (RUN - 1), rel=tolerance)


def test_few_directions_that_hang_together_are_told_from_all() -> None:
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((20_000, D))
    rows[:, 0] = in_runs(20_000, 0.5, rng)[:, 0]
    moments = estimate(rows.astype(np.float32))
    variance, square = of_means(rows, moments.trace, moments.trace_squared).at(200)
    assert square > 2 * variance**2


def test_codes_and_values_have_the_same_design_effect_as_means() -> None:
    values = in_runs(20_000, 0.2, np.random.default_rng(5))[:, 0]
    assert of_values(values).at(200) == pytest.approx(1 + 0.2 * (RUN - 1), rel=0.25)
    # Of what is common, a sign keeps 2/π · asin.
    expected = 1 + 2 / np.pi * np.arcsin(0.2) * (RUN - 1)
    assert of_codes((values > 0).astype(np.int64)).at(200) == pytest.approx(expected, rel=0.25)


def test_shuffled_codes_have_none() -> None:
    rng = np.random.default_rng(6)
    found = [of_codes(rng.integers(3, size=4_000)) for _ in range(40)]
    assert sum(each != dispersion.INDEPENDENT for each in found) <= 4


@pytest.mark.parametrize("codes", [np.zeros(5_000, np.int64), np.zeros(3, np.int64)])
def test_one_class_or_a_short_history_says_nothing(codes: npt.NDArray[np.int64]) -> None:
    assert of_codes(codes) == dispersion.INDEPENDENT


def test_a_factor_is_never_below_one_and_grows_at_most_as_fast_as_n() -> None:
    steep = Dispersion((50, 200), (2.0, 20.0))
    assert steep.at(2_000) == pytest.approx(200)
    falling = Dispersion((50, 200), (4.0, 2.0))
    assert falling.at(5_000) == 2.0
    assert Dispersion((50,), (0.5,)).at(50) == 1.0
    assert 1 < steep.at(10) < 2


def test_the_widest_has_every_length() -> None:
    found = dispersion.widest([Dispersion((50, 200), (2.0, 3.0)), Dispersion((50,), (4.0,))])
    assert found.lengths == (50, 200)
    assert found.factors[0] == 4.0
    assert found.factors[1] > 4.0
    assert dispersion.widest([dispersion.INDEPENDENT]) == dispersion.INDEPENDENT


def test_thinned_counts_keep_total_and_shape() -> None:
    reference, window = np.full(64, 7), np.arange(64)
    first, second = thinned(reference, window, Dispersion((50,), (3.0,)))
    factor = Dispersion((50,), (3.0,)).at(int(window.sum()))
    assert first.sum() == round(7 * 64 / factor)
    assert np.abs(np.cumsum(second) - np.cumsum(window) / factor).max() <= 0.5
    assert thinned(reference, window, dispersion.INDEPENDENT) == (reference, window)


@pytest.mark.parametrize("detector", [MeanEmbedding(), Softmax()], ids=lambda each: each.name)
def test_quiet_traffic_that_hangs_together_is_left_alone(
    detector: MeanEmbedding | Softmax,
) -> None:
    """At .05 a calibrated test alarms in at most 14 of 120 quiet windows but once in 1,000 runs."""
    rng = np.random.default_rng(8)
    alarms = {True: 0, False: 0}
    for _ in range(8):
        rows = in_runs(N_REFERENCE + 15 * N_WINDOW, 0.2, rng)
        for is_ordered in alarms:
            reference = fitted(rows[:N_REFERENCE], is_ordered=is_ordered)
            for at in range(N_REFERENCE, len(rows), N_WINDOW):
                found: Finding = detector.judge(
                    reference, observe(reference, rows[at : at + N_WINDOW])
                )
                assert found.p_value is not None
                alarms[is_ordered] += found.p_value <= 0.05
    assert alarms[True] <= 14
    assert alarms[False] > 40


def test_a_large_change_is_seen_all_the_same() -> None:
    rows = in_runs(N_REFERENCE + N_WINDOW, 0.2, np.random.default_rng(9))
    reference = fitted(rows[:N_REFERENCE])
    found = MeanEmbedding().judge(reference, observe(reference, rows[N_REFERENCE:] + 1))
    assert found.p_value is not None
    assert found.p_value < 1e-6


def test_a_reference_keeps_its_dispersions() -> None:
    reference = fitted(in_runs(N_REFERENCE, 0.2, np.random.default_rng(10)))
    read = decode(encode(reference))
    assert reference.plain is not None
    assert read.plain is not None
    assert reference.plain.dispersion.at(200)[0] > 3
    assert read.plain.dispersion == reference.plain.dispersion
    assert read.dispersions == reference.dispersions
    assert set(read.dispersions) == {"label_counts", "probabilities"}


def test_a_reference_from_before_dispersions_is_read_as_independent() -> None:
    reference = fitted(np.random.default_rng(11).standard_normal((400, D)), is_ordered=False)
    fields = packing.unpack(encode(reference))
    del fields["dispersions"]
    moments = packing.unpack(fields["plain"])
    del moments["dispersion"]
    read = decode(packing.pack(fields | {"plain": packing.pack(moments)}))
    assert read.dispersions == {}
    assert read.plain is not None
    assert read.plain.dispersion == dispersion.ALONE
