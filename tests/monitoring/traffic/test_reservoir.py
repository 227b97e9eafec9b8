"""A bounded, uniform sample of every slot, whoever draws it and however often they start anew."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from scipy import stats

from monitoring.models import Exemplar, Prediction, Reference, ReferenceState, TrafficSum
from monitoring.traffic import languages
from monitoring.traffic.compacting import thin_sample
from monitoring.traffic.facts import reset_memory
from monitoring.traffic.memory import Repeats, Reservoirs
from monitoring.traffic.reservoir import rank_of
from monitoring.traffic.windows import load_sample, load_sums
from tests.monitoring.builders import MODEL, NOW
from tests.monitoring.traffic.builders import START, AJournal, keep_traffic, traffic

SIZE = 20
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def a_small_reservoir(settings: Any) -> None:
    settings.BELLWETHER_RESERVOIR_SIZE = SIZE


def collecting(n: int, version: int = 1) -> Reference:
    return Reference.objects.create(
        model=MODEL,
        version=version,
        origin="accepted",
        state=ReferenceState.COLLECTING,
        n_wanted=n,
        created_by="tests",
        created_at=NOW,
    )


@pytest.mark.django_db(transaction=True)
def test_the_lowest_ranks_of_a_slot_are_kept_whoever_drew_them() -> None:
    rng = np.random.default_rng(1)
    records = traffic(rng, 900, every_s=0.3)
    journals = [AJournal(), AJournal()]
    for i, start in enumerate(range(0, 900, 50)):
        if i % 5 == 4:
            reset_memory()
        journals[i % 2].keep(records[start : start + 50])
    lowest = sorted(rank_of(record.id) for record in records)[:SIZE]
    kept = list(Exemplar.objects.order_by("rank").values_list("rank", flat=True))
    assert kept[:SIZE] == lowest
    sample = load_sample(MODEL, 1, NOW, NOW + HOUR, 500)
    assert len(sample) == SIZE


@pytest.mark.django_db(transaction=True)
def test_a_slot_never_holds_many_more_rows_than_its_size() -> None:
    records = traffic(np.random.default_rng(2), 3000, every_s=0.09, text=None)
    journal = AJournal()
    most = 0
    for start in range(0, 3000, 30):
        journal.keep(records[start : start + 30])
        most = max(most, Exemplar.objects.count())
    assert most <= 2 * SIZE + 30


def test_ranks_are_uniform() -> None:
    ranks = [rank_of(record.id) / 2**63 for record in traffic(np.random.default_rng(3), 2000)]
    assert stats.kstest(ranks, "uniform").pvalue > 1e-3


@pytest.mark.django_db
def test_a_sample_of_busy_and_quiet_slots_favours_neither(settings: Any) -> None:
    """Nine tenths of the traffic in one slot: about nine tenths of the sample is from there."""
    settings.BELLWETHER_RESERVOIR_SIZE = 100
    rng = np.random.default_rng(4)
    keep_traffic(traffic(rng, 1800, every_s=0.1, label="POSITIVE", text=None))
    keep_traffic(traffic(rng, 200, start=START + 300, label="NEGATIVE", text=None))
    sample = load_sample(MODEL, 1, NOW, NOW + HOUR, 1000)
    n_busy = Counter(sample.labels[i] for i in sample.predicted)["POSITIVE"]
    assert 100 <= len(sample) <= 130
    assert stats.binomtest(n_busy, len(sample), 0.9).pvalue > 1e-3


@pytest.mark.django_db
def test_an_exemplar_holds_what_was_recorded() -> None:
    languages.load()
    text = "das ist ein wunderbar sonniger Tag im Park gewesen"
    (record,) = traffic(np.random.default_rng(5), 1, text=text, subject="ab12", segment="web")
    keep_traffic([record])
    row = Exemplar.objects.get()
    same = ("model", "version", "segment", "text", "label", "scores", "n_tokens", "n_unknown")
    assert {name: getattr(row, name) for name in same} == {
        name: getattr(record, name) for name in same
    }
    assert (bytes(row.embedding), row.subject) == (record.embedding, "ab12")
    assert (row.language, row.script) == ("de", record.script)
    assert row.slot_at == NOW
    assert Prediction.objects.get().subject == "ab12"
    assert load_sums(MODEL, 1, start=NOW, end=NOW + HOUR).languages == {"de": 1}


@pytest.mark.django_db
def test_a_text_that_is_not_kept_is_nowhere() -> None:
    keep_traffic(traffic(np.random.default_rng(6), 3, text=None))
    assert set(Exemplar.objects.values_list("text", "language")) == {(None, "")}


@pytest.mark.django_db
def test_size_zero_keeps_no_sample_but_sums(settings: Any) -> None:
    settings.BELLWETHER_RESERVOIR_SIZE = 0
    keep_traffic(traffic(np.random.default_rng(7), 30))
    assert Exemplar.objects.count() == 0
    assert load_sums(MODEL, 1, start=NOW, end=NOW + HOUR).n_embedded == 30
    assert len(load_sample(MODEL, 1, NOW, NOW + HOUR, 100)) == 0


@pytest.mark.django_db
def test_embeddings_can_be_left_out_of_the_sample(settings: Any) -> None:
    settings.BELLWETHER_KEEP_EMBEDDINGS = False
    records = traffic(np.random.default_rng(8), 5)
    keep_traffic(records)
    assert {bytes(row.embedding) for row in Exemplar.objects.all()} == {b""}
    assert load_sample(MODEL, 1, NOW, NOW + HOUR, 10).embeddings.shape == (5, 0)
    # Single ones are nowhere else: sums are of five-minute slots and blocks.
    held = [bytes(row.payload) for row in TrafficSum.objects.all()]
    assert not any(record.embedding in payload for record in records for payload in held)


@pytest.mark.django_db(transaction=True)
def test_all_is_kept_while_a_reference_is_collected_and_no_more_than_it_wants() -> None:
    rng, reference, journal = np.random.default_rng(9), collecting(130), AJournal()
    for _ in range(4):
        journal.keep(traffic(rng, 50, text=None))
    reference.refresh_from_db()
    assert reference.n_done == 130
    assert Exemplar.objects.filter(is_collected=True).count() == 130
    ranks = Exemplar.objects.order_by("rank").values_list("rank", flat=True)[:SIZE]
    predictions = Prediction.objects.values_list("id", flat=True)
    assert list(ranks) == sorted(rank_of(each) for each in predictions)[:SIZE]


@pytest.mark.django_db
def test_a_cancelled_reference_collects_no_more() -> None:
    rng, reference, journal = np.random.default_rng(10), collecting(100), AJournal()
    journal.keep(traffic(rng, 10, text=None))
    Reference.objects.filter(pk=reference.pk).update(state=ReferenceState.CANCELLED)
    journal.keep(traffic(rng, 10, text=None))
    assert Exemplar.objects.filter(is_collected=True).count() == 10


@pytest.mark.django_db
def test_what_was_collected_for_nothing_goes_back_into_the_sample() -> None:
    reference = collecting(60)
    keep_traffic(traffic(np.random.default_rng(11), 60, text=None))
    thin_sample(NOW + 3 * HOUR)
    assert Exemplar.objects.count() == 60
    Reference.objects.filter(pk=reference.pk).update(state=ReferenceState.CANCELLED)
    assert thin_sample(NOW + 3 * HOUR) == 60 - SIZE
    assert Exemplar.objects.filter(is_collected=False).count() == SIZE


def test_repeats_remember_the_newest_texts_only() -> None:
    repeats = Repeats(size=3, n_models=2)
    repeats.remember("a", [1, 2, 3])
    repeats.remember("a", [1, 4])
    assert repeats.flags("a", [1, 2, 3, 4, 5, 5]) == [True, False, True, True, False, True]
    assert repeats.flags("b", [1]) == [False]
    repeats.remember("b", [1])
    repeats.remember("c", [1])
    assert repeats.flags("a", [1]) == [False]


def test_a_writer_s_memory_of_slots_is_bounded() -> None:
    reservoirs = Reservoirs(n_slots=2)
    ranks = np.arange(5, dtype=np.int64)
    for minute in (0, 5, 10):
        at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        reservoirs.remember(("m", 1, at), ranks, 5, is_trimmed=False)
    first = ("m", 1, datetime(2026, 1, 1, tzinfo=UTC))
    last = ("m", 1, datetime(2026, 1, 1, 0, 10, tzinfo=UTC))
    assert reservoirs.threshold(first, ranks, 5) is None
    assert reservoirs.threshold(last, ranks, 5) == 2


def test_languages_are_told_apart() -> None:
    languages.load()
    texts = ["this is a rather long sentence about the weather", None, "12 + 3", ""]
    assert languages.detect(texts) == ["en", "", "", ""]


def test_until_their_model_is_there_languages_are_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(languages, "_classify", None)
    monkeypatch.setattr(languages, "_loading", None)
    assert languages.detect(["this is a sentence"]) == [""]
    deadline = time.monotonic() + 20
    while languages.detect(["this is a sentence about the sea"]) == [""]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
