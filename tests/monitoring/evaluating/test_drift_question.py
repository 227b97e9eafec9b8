"""Drift decided from sums: quiet when nothing changed, heard when something did."""

from typing import Any

import numpy as np
from scipy import stats

from monitoring.drift import catalogue
from monitoring.drift import reference as references
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.sample import Sample
from monitoring.drift.sums import Sums, nothing, sums_of
from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.budget import level
from monitoring.evaluating.options import DriftOptions
from monitoring.evaluating.questions import drift
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.evaluating.builders import MODEL, NOW, draw, usual_reference

ALPHA = 1e-5


def make_reference(seed: int = 1, n: int = 2000) -> Reference:
    rng = np.random.default_rng(seed)
    return references.fit(draw(rng, n), rng=rng)


REFERENCE = usual_reference()


def ask(
    sums: Sums,
    *,
    alpha: float = ALPHA,
    reference: Reference | None = REFERENCE,
    segments: dict[str, Sums] | None = None,
    **changes: Any,
) -> Answer:
    floor = changes.pop("floor", 0.55)
    facts = {
        "reference_id": 7,
        "reference": reference,
        "is_traffic": True,
        "observed": Observed(sums=sums),
        "segments": segments or {},
        "detectors": catalogue.DEFAULTS,
        "start": NOW,
        "end": NOW,
    }
    question = Question(model=MODEL, version=1, at=NOW, window=1000, by_count=True, alpha=alpha)
    return drift.answer(question, DriftOptions(floor=floor), drift.DriftFacts(**(facts | changes)))


def summed(sample: Sample) -> Sums:
    return sums_of(sample, REFERENCE.basis)


def test_traffic_like_the_reference_is_fine() -> None:
    given = ask(summed(draw(np.random.default_rng(2), 1000)))
    assert given.verdict is Verdict.OK
    assert (given.n_window, given.n_reference, given.reference) == (1000, 2000, 7)
    assert given.alpha == ALPHA


def test_other_inputs_drift_and_alone_they_only_inform() -> None:
    given = ask(summed(draw(np.random.default_rng(2), 1000, shift=0.3)))
    assert (given.verdict, given.severity) == (Verdict.DRIFT, Severity.INFO)
    assert given.details["families"]["inputs"]["verdict"] == Verdict.DRIFT
    assert given.details["families"]["outputs"]["verdict"] == Verdict.OK
    assert "mean_embedding" in given.summary


def test_drift_with_an_estimated_loss_warns() -> None:
    given = ask(summed(draw(np.random.default_rng(2), 1000, shift=0.3)), loss=0.08)
    assert (given.verdict, given.severity) == (Verdict.DRIFT, Severity.WARNING)
    assert "8.0 points" in given.summary


def test_a_few_predictions_are_too_few() -> None:
    given = ask(summed(draw(np.random.default_rng(2), 499, shift=3)))
    assert given.verdict is Verdict.INSUFFICIENT_DATA
    assert "499" in given.summary


def test_without_traffic_or_reference_there_is_no_verdict() -> None:
    assert ask(nothing()).verdict is Verdict.INSUFFICIENT_DATA
    quiet = summed(draw(np.random.default_rng(2), 1000))
    assert ask(quiet, reference=None).verdict is Verdict.INSUFFICIENT_DATA


def test_a_drifting_segment_is_named_where_the_whole_hides_it() -> None:
    rng = np.random.default_rng(3)
    web, app = draw(rng, 20_000), draw(rng, 600, shift=0.35)
    parts = {"web": summed(web), "app": summed(app)}
    given = ask(parts["web"] + parts["app"], segments=parts)
    assert given.verdict is Verdict.DRIFT
    assert list(given.details["segments"]) == ["app"]


def test_one_segment_alone_is_the_whole() -> None:
    sums = summed(draw(np.random.default_rng(2), 1000, shift=0.3))
    assert "segments" not in ask(sums, segments={"": sums}).details


def test_habits_of_traffic_are_not_asked_of_texts() -> None:
    slow = draw(np.random.default_rng(2), 1000)
    slow = Sample(**({name: getattr(slow, name) for name in Sample.__dataclass_fields__}
                     | {"seconds": slow.seconds * 20}))  # fmt: skip
    assert ask(summed(slow)).verdict is Verdict.DRIFT
    assert ask(summed(slow), is_traffic=False).verdict is Verdict.OK


def test_quiet_windows_alarm_no_more_often_than_their_level() -> None:
    n_references, n_windows = 4, 40
    n_alarms = {0.05: 0, 0.01: 0}
    for seed in range(n_references):
        reference = make_reference(seed)
        rng = np.random.default_rng(1000 + seed)
        for _ in range(n_windows):
            sums = sums_of(draw(rng, 600), reference.basis)
            for alpha in n_alarms:
                given = ask(sums, alpha=alpha, reference=reference, floor=0.5)
                n_alarms[alpha] += given.verdict is Verdict.DRIFT
    # Windows against one reference depend on each other: half as much again is allowed.
    n = n_references * n_windows
    for alpha, n_seen in n_alarms.items():
        assert n_seen <= stats.binom.ppf(0.9999, n, 1.5 * alpha)


def test_a_quiet_stream_fires_nothing_at_the_default_budget() -> None:
    rng = np.random.default_rng(4)
    stream = [summed(draw(rng, 100)) for _ in range(300)]
    alpha = level("drift", n_alike=2, elapsed_s=60, days=90)
    verdicts = set()
    for i in range(10, len(stream)):
        window = sum(stream[i - 9 : i], start=stream[i - 10])
        verdicts.add(ask(window, alpha=alpha).verdict)
    assert verdicts == {Verdict.OK}
