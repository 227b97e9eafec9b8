import numpy as np
import pytest

from monitoring.drift import catalogue
from monitoring.drift.base import Detector
from monitoring.drift.classifier import Classifier
from monitoring.drift.energy import Energy
from monitoring.drift.mmd import MMD
from monitoring.drift.page_hinkley import PageHinkley
from monitoring.drift.population_stability import stability_index
from monitoring.drift.reference import Observed
from monitoring.drift.wasserstein import Wasserstein
from monitoring.drift.words import distinguishing
from tests.monitoring.drift.builders import assert_level, draw, effect_of, judged, p_of, reference

N_REFERENCES = 10
INPUTS = ("kolmogorov_smirnov", "mmd", "energy", "classifier")
OUTPUTS = ("population_stability", "jensen_shannon", "chi_square", "wasserstein", "page_hinkley")
# As in the catalogue, with fewer rows and permutations so that many draws are quick.
QUICK: tuple[tuple[Detector, int], ...] = (
    (catalogue.get("kolmogorov_smirnov"), 150),
    (MMD(most_rows=200, n_permutations=99), 200),
    (Energy(most_rows=200, n_permutations=99), 200),
    (Classifier(most_rows=200, n_folds=3), 100),
    (catalogue.get("population_stability"), 500),
    (catalogue.get("jensen_shannon"), 500),
    (catalogue.get("chi_square"), 500),
    (Wasserstein(n_permutations=99), 500),
    (PageHinkley(n_resamples=99), 500),
)


def quick(detector: Detector, n_draws: int) -> list[float]:
    rng = np.random.default_rng(11)
    p_values = []
    for i in range(n_draws):
        p_values.append(p_of(judged(detector, draw(60, rng), reference(800, i % N_REFERENCES))))
    return p_values


@pytest.mark.parametrize(
    ("detector", "n_draws"), QUICK, ids=[detector.name for detector, _ in QUICK]
)
def test_a_quiet_window_alarms_no_more_often_than_the_level_says(
    detector: Detector, n_draws: int
) -> None:
    p_values = quick(detector, n_draws)
    for level in (0.05, 0.01):
        assert_level(p_values, level, times=1.3)


@pytest.mark.parametrize("name", INPUTS)
def test_an_obvious_shift_of_texts_is_found(name: str) -> None:
    rng = np.random.default_rng(12)
    finding = judged(catalogue.get(name), draw(200, rng, shift=0.8))
    assert p_of(finding) <= 0.002
    assert effect_of(finding) > 0.55


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_obvious_shift_of_answers_is_found(name: str) -> None:
    rng = np.random.default_rng(13)
    sample = draw(200, rng, prior=(0.8, 0.1, 0.1))
    # Unsure answers besides: what is looked at by some is the confidence alone.
    sample.probabilities[:] = 0.5 * sample.probabilities + 0.5 / 3
    finding = judged(catalogue.get(name), sample)
    assert p_of(finding) <= 0.005
    assert effect_of(finding) > 0.55


@pytest.mark.parametrize("name", [*INPUTS, *OUTPUTS])
def test_too_little_or_no_sample_is_no_verdict(name: str) -> None:
    detector, of = catalogue.get(name), reference()
    small = judged(detector, draw(49, np.random.default_rng(14)))
    assert not small.is_sufficient
    if detector.needs_sample:
        assert not detector.judge(of, Observed(sums=of.sums)).is_sufficient


@pytest.mark.parametrize(
    "detector", [*catalogue.DEFAULTS, *catalogue.ON_DEMAND], ids=lambda d: d.name
)
def test_the_same_arguments_give_the_same_finding(detector: Detector) -> None:
    sample = draw(120, np.random.default_rng(15))
    assert judged(detector, sample) == judged(detector, sample)


@pytest.mark.parametrize("name", INPUTS)
def test_constant_and_broken_embeddings_break_nothing(name: str) -> None:
    sample = draw(120, np.random.default_rng(16))
    sample.embeddings[:] = 0.25
    sample.embeddings[0] = np.inf
    finding = judged(catalogue.get(name), sample)
    assert finding.n_window == 119
    assert 0 <= p_of(finding) < 0.01


def test_dimensions_that_moved_are_named() -> None:
    sample = draw(200, np.random.default_rng(20))
    sample.embeddings[:, 7] += 0.2
    found = judged(catalogue.get("kolmogorov_smirnov"), sample).details["dimensions"]
    assert found[0]["dimension"] == 7
    assert found[0]["p_value"] < 1e-6 < found[1]["p_value"]


def test_the_classifier_explains_by_texts_and_by_words() -> None:
    sample = draw(200, np.random.default_rng(17), shift=0.8, extra=" voyage")
    details = judged(catalogue.get("classifier"), sample).details
    assert all("voyage" in shown["text"] for shown in details["texts"])
    assert details["words"][0]["word"] == "voyage"
    assert details["words"][0]["z"] > 5


def test_texts_that_were_not_kept_are_not_shown() -> None:
    sample = draw(120, np.random.default_rng(18))
    silent = sample.take(range(120))
    object.__setattr__(silent, "texts", (None,) * 120)
    details = judged(catalogue.get("classifier"), silent).details
    assert not details["texts"]
    assert not details["words"]


def test_words_of_long_texts_are_counted_once_and_in_part_only() -> None:
    found = distinguishing(["common"] * 50, ["common " + "spam " * 100_000] * 50, 5)
    assert [word.word for word in found] == ["common", "spam"]
    assert found[1].n_window == 50


def test_one_new_bin_does_not_make_the_stability_index_explode() -> None:
    assert stability_index(np.array([990, 0]), np.array([980, 10])) < 0.05


def test_the_page_hinkley_statistic_finds_a_change_within_the_window() -> None:
    rng = np.random.default_rng(19)
    sample = draw(300, rng)
    # The last third is sure of everything.
    sample.probabilities[200:] = 0.98 * np.eye(3)[sample.predicted[200:]] + 0.02 / 3
    finding = judged(PageHinkley(n_resamples=199), sample)
    assert finding.p_value == 1 / 200
