"""How good a model probably is on answers that nobody labelled, from its own confidence.

- **CBPE** (confidence-based performance estimation; Bialek et al., 2024, arXiv 2401.08348): the
  mean calibrated chance of being right is the accuracy, and expected hits, false alarms and misses
  give F1. Its interval holds the chance in the answers (Poisson-binomial) and in the calibration.
- **ATC** (average thresholded confidence; Garg et al., 2022, arXiv 2201.04234): the share of
  answers above the confidence that, on the reference, as many answers exceed as were right.
- **DoC** (difference of confidences; Guillory et al., 2021): the reference's accuracy less the
  fall of mean confidence, times a slope that is 1 unless fitted on past windows.

All three see what changes in the *inputs* (covariate shift) and are blind to a change of what the
right answer is (concept drift): then they go on reporting the old quality. Where they disagree,
that `spread` is what is not known. Everything comes from `Sums`, whatever the window's size.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitoring.drift import grids
from monitoring.drift.reference import Reference
from monitoring.drift.sample import Sample
from monitoring.drift.sums import Sums, nothing, sums_of
from monitoring.quality import calibrator as calibrators
from monitoring.quality import intervals
from monitoring.quality.calibrator import Calibrator, Curve
from monitoring.quality.metrics import Counts, Floats, scores
from monitoring.quality.report import UNDEFINED, Estimate, Verdict

MIN_LABELLED = 200
MIN_WINDOW = 100
DEFAULT_SLOPE = 1.0
N_DRAWS = 500
_MIDDLES: Floats = grids.middles(grids.PROBABILITY)
_Z = 1.959963984540054


class Method(StrEnum):
    CBPE = "cbpe"
    ATC = "atc"
    DOC = "doc"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """What `n_labelled` answers of a reference say about confidence.

    `confidence` [64] counts them by confidence; `errors` [K, K] (predicted, actual) sums to 1 a
    row: how a class's wrong answers spread, where it has any. `threshold` is a place on the axis
    of bins, its fraction a part of a bin. `macro_f1` and `accuracy` are realised.
    """

    labels: tuple[str, ...]
    calibrator: Calibrator
    confidence: Counts
    errors: Floats
    accuracy: float
    macro_f1: float
    threshold: float
    slope: float
    n_labelled: int


@dataclass(frozen=True, slots=True)
class ClassEstimate:
    label: str
    n_predicted: int
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimated:
    """The estimated quality of `n` answers, by the sides of the reference's own.

    F1 is CBPE's. `spread` is the largest difference between the methods' accuracies.
    """

    n: int
    accuracy: dict[Method, Estimate]
    macro_f1: Estimate
    classes: tuple[ClassEstimate, ...]
    spread: float | None
    reference_accuracy: float
    reference_macro_f1: float
    verdict: Verdict | None


def calibrate(reference: Reference, *, slope: float = DEFAULT_SLOPE) -> Calibration | None:
    """What the reference's kept, labelled answers say; None under 200 of them."""
    return None if reference.sample is None else fit(reference.sample, slope=slope)


def fit(sample: Sample, *, slope: float = DEFAULT_SLOPE) -> Calibration | None:
    """The same from any labelled answers; those without a label are left out."""
    labelled = sample.take(np.flatnonzero(sample.actual >= 0))
    n, k = len(labelled), len(labelled.labels)
    if n < MIN_LABELLED:
        return None
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (labelled.actual, labelled.predicted), 1)
    is_right = labelled.actual == labelled.predicted
    counts, right = _by_bin(labelled), _by_bin(labelled.take(np.flatnonzero(is_right)))
    rates = scores(confusion)
    return Calibration(
        labels=labelled.labels,
        calibrator=calibrators.fit(labelled.labels, counts, right),
        confidence=counts.sum(axis=0),
        errors=_error_shares(confusion),
        accuracy=float(rates.accuracy),
        macro_f1=float(rates.macro(rates.f1)),
        threshold=_place(counts.sum(axis=0), 1 - float(rates.accuracy)),
        slope=slope,
        n_labelled=n,
    )


def estimate(calibration: Calibration, sums: Sums, *, n_draws: int = N_DRAWS) -> Estimated:
    """The quality of the answers in `sums`; the same arguments always give the same numbers.

    INSUFFICIENT_DATA under 100 answers; numbers are given all the same, and UNDEFINED for none.
    Bounds hold 95 % of what labels would show, as long as only the inputs have changed.
    """
    n = int(sums.confidence.sum())
    if not n:
        return _nothing(calibration)
    curves = [calibration.calibrator.curve(label) for label in sums.labels]
    shares = _window_shares(calibration, sums)
    expected = scores(_expected(sums.confidence, curves, shares))
    drawn = scores(_drawn(sums.confidence, curves, shares, n_draws))
    f1 = _bounded(expected.f1, drawn.f1.T)
    accuracy = {
        Method.CBPE: _bounded(expected.accuracy[None], drawn.accuracy[None])[0],
        Method.ATC: _by_chance(_atc(calibration, sums.confidence.sum(axis=0)), calibration, n),
        Method.DOC: _by_chance(_doc(calibration, sums.confidence.sum(axis=0)), calibration, n),
    }
    values = [row.value for row in accuracy.values() if row.value is not None]
    return Estimated(
        n=n,
        accuracy=accuracy,
        macro_f1=_bounded(expected.macro(expected.f1)[None], drawn.macro(drawn.f1)[None])[0],
        classes=tuple(
            ClassEstimate(label, int(sums.confidence[i].sum()), f1[i])
            for i, label in enumerate(sums.labels)
        ),
        spread=max(values) - min(values),
        reference_accuracy=calibration.accuracy,
        reference_macro_f1=calibration.macro_f1,
        verdict=Verdict.INSUFFICIENT_DATA if n < MIN_WINDOW else None,
    )


def _nothing(calibration: Calibration) -> Estimated:
    return Estimated(
        n=0,
        accuracy=dict.fromkeys(Method, UNDEFINED),
        macro_f1=UNDEFINED,
        classes=(),
        spread=None,
        reference_accuracy=calibration.accuracy,
        reference_macro_f1=calibration.macro_f1,
        verdict=Verdict.INSUFFICIENT_DATA,
    )


def _by_bin(sample: Sample) -> Counts:
    """[K, 64] by predicted class and bin of its probability."""
    return sums_of(sample).confidence if len(sample) else nothing(sample.labels).confidence


def _error_shares(confusion: Counts) -> Floats:
    """[K, K] (predicted, actual): where the wrong answers of a class truly belong."""
    wrong = confusion.T.astype(np.float64)
    np.fill_diagonal(wrong, 0.0)
    return _rows_to_one(wrong)


def _window_shares(calibration: Calibration, sums: Sums) -> Floats:
    """The same for a window: as the model's own probabilities say, else as on the reference."""
    k = len(sums.labels)
    if sums.has_columns:
        wrong = sums.probability_sums.copy()
        np.fill_diagonal(wrong, 0.0)
        return _rows_to_one(wrong)
    place = {label: i for i, label in enumerate(calibration.labels)}
    known = [i for i, label in enumerate(sums.labels) if label in place]
    wrong = np.zeros((k, k))
    at = [place[sums.labels[i]] for i in known]
    wrong[np.ix_(known, known)] = calibration.errors[np.ix_(at, at)]
    return _rows_to_one(wrong)


def _rows_to_one(wrong: Floats) -> Floats:
    """Rows that sum to 1; one that says nothing is spread evenly over the other classes."""
    k = len(wrong)
    totals = wrong.sum(axis=1, keepdims=True)
    even = (np.ones((k, k)) - np.eye(k)) / max(k - 1, 1)
    shares = np.where(totals > 0, wrong / np.where(totals > 0, totals, 1.0), even)
    return np.asarray(shares, dtype=np.float64)


def _expected(confidence: Counts, curves: list[Curve], shares: Floats) -> Floats:
    """The table [K, K] (actual, predicted) that calibrated confidence expects."""
    hits = np.array([row @ curve.by_bin() for row, curve in zip(confidence, curves, strict=True)])
    table: Floats = ((confidence.sum(axis=1) - hits)[:, None] * shares).T
    np.fill_diagonal(table, hits)
    return table


def _drawn(confidence: Counts, curves: list[Curve], shares: Floats, n_draws: int) -> Floats:
    """[r, K, K] tables that labels might show: other curves, and chance in every answer."""
    k = len(curves)
    n_draws = max(100, min(n_draws, intervals.MOST_DRAWN_CELLS // (k * k)))
    rng = intervals.seeded()
    tables = np.zeros((n_draws, k, k))
    for i, (row, curve) in enumerate(zip(confidence, curves, strict=True)):
        n = int(row.sum())
        if not n:
            continue
        chance = curve.draws(n_draws, rng)
        # Sums of many independent hits are as good as normal.
        deviation = np.sqrt((chance * (1 - chance)) @ row)
        hits = np.clip(chance @ row + deviation * rng.standard_normal(n_draws), 0, n)
        wrong = (n - hits)[:, None] * shares[i]
        split = rng.standard_gamma(np.maximum(wrong, 1e-9)) * (shares[i] > 0)
        totals = np.maximum(split.sum(axis=1, keepdims=True), 1e-300)
        tables[:, :, i] = split / totals * (n - hits)[:, None]
        tables[:, i, i] = hits
    return tables


def _bounded(values: Floats, draws: Floats) -> list[Estimate]:
    low, high = intervals.quantiles(draws, values)
    return [
        Estimate(float(value), float(lowest), float(highest))
        for value, lowest, highest in zip(values, low, high, strict=True)
    ]


def _place(counts: Counts, share: float) -> float:
    """Where on the axis of bins `share` of `counts` lies below."""
    below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    return float(np.interp(share, below, np.arange(len(below))))


def _atc(calibration: Calibration, counts: Counts) -> float:
    below = np.concatenate([[0.0], np.cumsum(counts)]) / counts.sum()
    return 1 - float(np.interp(calibration.threshold, np.arange(len(below)), below))


def _doc(calibration: Calibration, counts: Counts) -> float:
    before = calibration.confidence @ _MIDDLES / calibration.n_labelled
    fall = before - counts @ _MIDDLES / counts.sum()
    return float(np.clip(calibration.accuracy - calibration.slope * fall, 0, 1))


def _by_chance(value: float, calibration: Calibration, n: int) -> Estimate:
    """Bounds for what chance alone does to the reference's labels and the window's answers."""
    error = _Z * float(np.sqrt(value * (1 - value) * (1 / n + 1 / calibration.n_labelled)))
    return Estimate(value, max(value - error, 0.0), min(value + error, 1.0))
