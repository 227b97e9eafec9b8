"""The statistics on real labels: a bag-of-words model of film reviews, which then meets tweets."""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from monitoring.drift.sample import Sample, make_sample
from monitoring.drift.sums import sums_of
from monitoring.quality import calibration as calibrations
from monitoring.quality.degradation import NOTHING, Judgement, Labelled, judge, update, watch
from monitoring.quality.estimates import Method, estimate, fit
from monitoring.verdicts import Verdict

LABELS = ["negative", "positive"]
ARL = 10_000.0


@dataclass(frozen=True)
class Answered:
    """Answers to reviews like those the model knows, more of them, and to tweets."""

    reference: Sample
    reviews: Sample
    tweets: Sample


def load(name: str) -> tuple[list[str], list[int]]:
    if "BELLWETHER_TEST_DATA" not in os.environ:
        pytest.skip("BELLWETHER_TEST_DATA does not say where the reviews and tweets are")
    path = Path(os.environ["BELLWETHER_TEST_DATA"]) / name
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["label_name"] in LABELS]
    return [row["text"] for row in rows], [LABELS.index(row["label_name"]) for row in rows]


@pytest.fixture(scope="module")
def answered() -> Answered:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    texts, truth = load("sst2/train_sentences.jsonl.gz")
    order = np.random.default_rng(0).permutation(len(texts))
    vectors = TfidfVectorizer(min_df=2, ngram_range=(1, 2))
    known = [texts[i] for i in order[:3000]]
    model = LogisticRegression(C=20, max_iter=300)
    model.fit(vectors.fit_transform(known), [truth[i] for i in order[:3000]])

    def answer(texts: list[str], actual: list[int]) -> Sample:
        chances = model.predict_proba(vectors.transform(texts))
        return make_sample(
            labels=LABELS, predicted=chances.argmax(axis=1), probabilities=chances, actual=actual
        )

    fresh = [[texts[i] for i in order[3000:]], [truth[i] for i in order[3000:]]]
    return Answered(
        reference=answer(fresh[0][:2000], fresh[1][:2000]),
        reviews=answer(fresh[0][2000:], fresh[1][2000:]),
        tweets=answer(*load("tweet_sentiment/test.jsonl.gz")),
    )


def accuracy(sample: Sample) -> float:
    return float((sample.actual == sample.predicted).mean())


def watch_over(reference: Sample, sample: Sample) -> Judgement:
    """The judgement of labels that come twenty at a time, at the first alarm or at the end."""
    confusion = np.zeros((2, 2), np.int64)
    np.add.at(confusion, (reference.actual, reference.predicted), 1)
    setting, progress = watch(confusion, LABELS), NOTHING
    pairs = zip(sample.actual, sample.predicted, strict=True)
    rows = [Labelled(LABELS[actual], LABELS[predicted]) for actual, predicted in pairs]
    for start in range(0, len(rows), 20):
        progress = update(setting, progress, rows[start : start + 20], arl=ARL)
        judgement = judge(setting, progress, arl=ARL)
        if judgement.verdict is Verdict.DEGRADED:
            break
    return judgement


def test_more_of_the_same_reviews_alarm_nobody(answered: Answered) -> None:
    assert watch_over(answered.reference, answered.reviews).verdict is Verdict.OK


def test_tweets_alarm_within_a_few_hundred_labels(answered: Answered) -> None:
    judgement = watch_over(answered.reference, answered.tweets)
    assert judgement.verdict is Verdict.DEGRADED
    assert judgement.n <= 400


@pytest.mark.parametrize("method", Method)
def test_estimates_of_reviews_hold_what_labels_show(answered: Answered, method: Method) -> None:
    calibration = fit(answered.reference)
    assert calibration is not None
    shown = estimate(calibration, sums_of(answered.reviews)).accuracy[method]
    assert shown.low is not None
    assert shown.high is not None
    assert shown.low <= accuracy(answered.reviews) <= shown.high


@pytest.mark.parametrize("method", Method)
def test_estimates_of_tweets_fall_but_not_as_far_as_the_truth(
    answered: Answered, method: Method
) -> None:
    calibration = fit(answered.reference)
    assert calibration is not None
    shown = estimate(calibration, sums_of(answered.tweets)).accuracy[method]
    assert shown.value is not None
    assert shown.high is not None
    # Words mean other things there: part of it is concept drift, which no confidence shows.
    assert accuracy(answered.tweets) < shown.value
    assert shown.high < calibration.accuracy


def test_tweets_show_that_the_model_is_far_too_sure(answered: Answered) -> None:
    reviews, tweets = (
        calibrations.report(sample.probabilities, sample.actual)
        for sample in (answered.reviews, answered.tweets)
    )
    assert reviews.error is not None
    assert tweets.error is not None
    assert tweets.error.gap > 0.1 > 0.05 > reviews.error.gap
    assert reviews.temperature is not None
    assert tweets.temperature is not None
    assert tweets.temperature > 2 * reviews.temperature
