"""The judging of detectors, on made-up numbers whose answer is known; and the program, tiny."""

import gzip
import json
import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import detectors
from benchmarks.drift import cases, labelled, ours, streams, texts
from benchmarks.drift.cases import Case, Rows
from benchmarks.drift.comparing import Comparison, Raced, compare, median_delay
from benchmarks.drift.labelled import Candidate, Labelled, Update
from benchmarks.drift.racing import Effort, Method, Outcome, Score, race, threshold_of
from benchmarks.drift.rates import rate_of
from benchmarks.drift.services import Service
from benchmarks.drift.streams import Shift
from benchmarks.drift.trials import make_case
from monitoring.drift.sample import make_sample
from starter.corpus import DATA_VARIABLE
from tests.inference.tiny import CORPUS, save_tiny

N_BASE, N_FOREIGN = 3_000, 400


def make_service(seed: int = 0) -> Service:
    """Normal vectors; the foreign ones lie elsewhere."""
    rng = np.random.default_rng(seed)
    n = N_BASE + N_FOREIGN
    embeddings = rng.standard_normal((n, 6)).astype(np.float32)
    embeddings[N_BASE:] += 2
    positive = rng.random(n).astype(np.float32)
    probabilities = np.stack([1 - positive, positive], axis=1)
    sample = make_sample(
        labels=("NEGATIVE", "POSITIVE"),
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        embeddings=embeddings,
        actual=rng.integers(2, size=n),
    )
    foreign = np.arange(N_BASE, n)
    names = {shift.pool for shift in streams.SHIFTS} - {streams.ONE_CLASS}
    pools = {"base": np.arange(N_BASE)} | dict.fromkeys(names, foreign)
    return Service(name="made up", sample=sample, pools=pools)


@pytest.fixture(scope="module")
def service() -> Service:
    return make_service()


@pytest.fixture(scope="module")
def case(service: Service) -> Case:
    return make_case(service, n_quiet=8, n_shifted=4, seed=1, n_reference=1_000)


def by_mean(case: Case, effort: Effort) -> Method:
    """Alarms by how far the mean of the window lies from the reference's."""

    def fit(reference: Rows, _window: int) -> Callable[[Rows], Score]:
        before = case.embeddings[reference].mean(axis=0)

        def judge(rows: Rows) -> Score:
            value = float(np.square(case.embeddings[rows].mean(axis=0) - before).sum())
            return Score(value, value > 1)

        return judge

    return Method("mean", fit, effort)


def test_a_reference_shares_no_row_with_its_stream(service: Service) -> None:
    parts = streams.split(service.base, 1_000, np.random.default_rng(0))
    assert len(parts.reference) == 1_000
    assert sorted([*parts.reference, *parts.rest]) == service.base.tolist()
    assert (np.diff(parts.rest) > 0).all()


@pytest.mark.parametrize("arrange", streams.ORDERS.values(), ids=streams.ORDERS)
def test_a_quiet_stream_holds_each_text_once(arrange: streams.Arrange) -> None:
    rows = np.arange(137)
    arranged = arrange(rows, np.random.default_rng(3))
    assert sorted(arranged) == rows.tolist()
    # Neighbours stay together but for where blocks meet.
    assert (np.diff(arranged) == 1).mean() > 0.9


def test_a_shift_begins_where_it_should_and_has_its_dose(service: Service) -> None:
    rows, shift = np.arange(2_500), Shift("some", "foreign topic", 0.2)
    pool = streams.pool_rows(service, shift, rows)
    changed = streams.shifted(rows, pool, shift, 500, np.random.default_rng(5))
    assert (changed[:500] == rows[:500]).all()
    assert (changed[500:] >= N_BASE).mean() == pytest.approx(0.2, abs=0.03)


def test_a_ramp_grows(service: Service) -> None:
    shares = Shift("ramp", "foreign topic", 0.3, ramp=1_000).shares(2_000)
    assert (shares[0], shares[500], shares[1_500]) == (0, pytest.approx(0.15), 0.3)


def test_one_class_comes_from_outside_the_reference(service: Service) -> None:
    rest = np.arange(100, 300)
    chosen = streams.pool_rows(service, Shift("mix", streams.ONE_CLASS, 0.2), rest)
    assert set(chosen) <= set(rest.tolist())
    assert set(service.sample.actual[chosen]) == {0}


def test_a_case_is_the_same_after_it_was_written(case: Case, tmp_path: Path) -> None:
    cases.save(case, tmp_path / "case.npz")
    read = cases.load(tmp_path / "case.npz")
    assert (read.quiet == case.quiet).all()
    assert read.shifted.keys() == case.shifted.keys()
    assert read.n_before == case.n_before


@pytest.mark.parametrize(("rate", "n_above"), [(0.05, 5), (0.01, 1), (0.2, 20)])
def test_the_threshold_lets_the_wanted_share_pass(rate: float, n_above: int) -> None:
    values = np.random.default_rng(0).permutation(100).astype(float).tolist()
    threshold = threshold_of(values, rate)
    assert sum(value > threshold for value in values) == n_above


def test_a_strong_shift_is_found_at_once_and_quiet_stays_quiet(case: Case) -> None:
    found = race(case, by_mean(case, Effort(8, 4)), 200, 0.01)
    assert found.n_alarms == 0
    assert found.delays["other domain"] == [200] * 4
    weak = [delay or math.inf for delay in found.delays["foreign topic 3 %"]]
    assert sum(weak) > sum(delay or math.inf for delay in found.delays["foreign topic 20 %"])


def test_a_method_without_shifted_streams_has_its_own_rule_only(case: Case) -> None:
    found = race(case, by_mean(case, Effort(4, 0, n_asked=2)), 200, 0.01)
    assert (found.n_quiet, found.delays) == (8, {})


def test_all_of_ours_race_on_made_up_answers(service: Service, case: Case) -> None:
    for method in ours.methods(service.sample, effort=Effort(2, 1)):
        found = race(case, method, method.windows[-1], 0.05)
        assert found.n_quiet == 2 * (case.quiet.shape[1] - case.n_before) // 200
        if method.name in (ours.JOINT, "mean_embedding", ours.CLASSIC):
            assert found.delays["other domain"] == [200]


def test_kolmogorov_smirnov_is_scipys() -> None:
    from scipy import stats

    rng = np.random.default_rng(2)
    first, second = rng.standard_normal((90, 3)), rng.standard_normal((40, 3)) + 0.3
    expected = [stats.ks_2samp(first[:, i], second[:, i]).statistic for i in range(3)]
    assert ours.ks_distances(np.sort(first, axis=0), second) == pytest.approx(expected)


def test_streams_that_vary_widen_the_interval() -> None:
    spread = rate_of([[True, False, False, False]] * 10)
    bunched = rate_of([[True] * 4] * 2 + [[False] * 4] * 6 + [[True, False, False, False]] * 2)
    assert spread.rate == bunched.rate == 0.25
    assert bunched.upper > spread.upper


def test_streams_without_alarms_have_an_upper_bound() -> None:
    assert rate_of([[False] * 50, [False] * 50]).upper == pytest.approx(0.0362, abs=1e-4)


@pytest.mark.parametrize(
    ("mine", "theirs", "ratio"),
    [(200.0, 400.0, 0.5), (400.0, None, 0.1), (None, 400.0, 10.0)],
)
def test_what_was_not_found_counts_as_the_horizon(
    mine: float | None, theirs: float | None, ratio: float
) -> None:
    found = Comparison(
        service="a",
        shift="b",
        horizon=4_000,
        ours=mine,
        ours_mean=1,
        peer="c",
        theirs=theirs,
        theirs_mean=1,
    )
    assert found.ratio == ratio


def test_most_streams_must_be_found_for_a_median() -> None:
    assert median_delay([200, None, 400]) == 400
    assert median_delay([200, None, None]) is None


def test_the_best_peer_is_chosen_for_each_shift() -> None:
    def raced(name: str, delays: dict[str, list[int | None]], is_ours: bool) -> Raced:
        outcome = Outcome(name, 200, 10, 0, 0.01, 1.0, delays, 0.1, 0.1, 1.0)
        return Raced(service="a", is_ours=is_ours, outcome=outcome)

    found = compare(
        [
            raced("mine", {"x": [200], "y": [600]}, True),
            raced("one", {"x": [800], "y": [200]}, False),
            raced("two", {"x": [400], "y": [None]}, False),
        ],
        {"a": 4_000},
        "mine",
    )
    assert [(each.peer, each.ratio) for each in found] == [("two, 200", 0.5), ("one, 200", 3.0)]


def after(n: int) -> Callable[[float], Update]:
    """Alarms after so many errors times its setting."""

    def make(setting: float) -> Update:
        errors = 0

        def update(true: int, predicted: int) -> bool:
            nonlocal errors
            errors += true != predicted
            return errors >= n * setting

        return update

    return make


def test_a_detector_gets_the_first_setting_that_is_quiet_enough() -> None:
    quiet = np.zeros((2, 20_000, 2), np.int64)
    quiet[:, ::100, 1] = 1
    shifted = np.zeros((3, 400, 2), np.int64)
    shifted[:, 100:, 1] = 1
    found = labelled.try_on(
        Labelled(quiet=quiet, shifted={"all wrong": shifted}, n_before=100),
        Candidate("counts", after(10), (1, 5, 10, 20), default=1),
    )
    assert (found.setting, found.run_length) == (10, 10_000)
    assert found.default_run_length == pytest.approx(1_000)
    assert found.delays == {"all wrong": 100}


def test_shifts_of_labels_have_the_error_rates_they_name() -> None:
    rng = np.random.default_rng(0)
    actual = rng.integers(3, size=5_000)
    predicted = np.where(rng.random(5_000) < 0.1, (actual + 1) % 3, actual)
    made = labelled.make_case(
        actual, predicted, n_classes=3, n_quiet=4, n_shifted=20, length=3_000, seed=1
    )

    def errors(rows: np.ndarray) -> float:
        return float((rows[..., 0] != rows[..., 1]).mean())

    assert errors(made.quiet) == pytest.approx(0.1, abs=0.02)
    tripled = made.shifted["errors tripled"]
    assert errors(tripled[:, : made.n_before]) == pytest.approx(0.1, abs=0.02)
    assert errors(tripled[:, made.n_before :]) == pytest.approx(0.3, abs=0.02)


def test_mistyped_texts_are_seeded_and_mostly_readable() -> None:
    source = ["a warm and moving story about two brothers"] * 20
    first, again = texts.mistyped(source, seed=1), texts.mistyped(source, seed=1)
    assert first == again
    assert len(set(first.texts)) > 10
    assert all(abs(len(text) - len(source[0])) < 12 for text in first.texts)


def test_shortened_texts_keep_their_beginning() -> None:
    assert texts.shortened(["one two three four five", "word"]).texts == ("one two", "word")


@pytest.fixture
def tiny_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the program reads, with made-up texts."""
    draw = random.Random(0)
    words = sorted({word for text in CORPUS for word in text.split()})

    def write(name: str, n: int, fields: Callable[[str], dict[str, object]]) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with gzip.open(path, "wt", compresslevel=1) as lines:
            for _ in range(n):
                text = " ".join(draw.choices(words, k=draw.randrange(4, 12)))
                lines.write(json.dumps(fields(text)) + "\n")

    def review(text: str) -> dict[str, object]:
        return {"text": text, "label_name": draw.choice(["negative", "positive"])}

    write("sst2/train_sentences.jsonl.gz", 1_900, review)
    write("tweet_sentiment/test.jsonl.gz", 150, lambda text: review(text.upper()))
    write("ag_news/test.jsonl.gz", 150, lambda text: review(text + " " + text))
    write("nli/snli_test_2k.jsonl.gz", 150, lambda text: {"premise": text[::-1]})
    name = "translation/multi30k_2016_en_de_fr.jsonl.gz"
    write(name, 80, lambda text: {"de": text + " und", "fr": text + " et"})
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_the_program_measures_everything_of_ours(
    tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = save_tiny(tiny_data / "model", max_position_embeddings=128), tiny_data / "out.json"
    arguments = ["--quick", "--starter", str(model), "--json", str(out), "--no-limits"]
    assert detectors.main(arguments) == 0
    report = json.loads(out.read_bytes())
    assert {row["level"] for row in report["false_alarms"]} == {0.05, 0.01, 0.001}
    assert {row["outcome"]["method"] for row in report["raced"]} >= {ours.JOINT, ours.CLASSIC}
    assert {row["name"] for row in report["labelled"]} >= {"e-detector"}
    assert report["timings"][0]["joint_us"] > 0
    shown = capsys.readouterr().out
    assert "False alarms on quiet streams" in shown
    assert "Rising errors" in shown
