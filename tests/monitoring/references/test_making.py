"""Answers become a reference: its numbers, its basis, the event, and what is kept of texts."""

from collections import Counter
from datetime import timedelta
from unittest.mock import patch

import numpy as np
import pytest
from django.db import OperationalError
from sklearn.metrics import accuracy_score, f1_score

from monitoring.drift.reference import decode
from monitoring.models import Basis, Reference, ReferenceChunk, ReferenceState
from monitoring.references import making, services, upkeep
from monitoring.references.making import Material, load_basis, make
from monitoring.references.queries import load_active
from monitoring.references.readers import Row
from monitoring.traffic.sampling import sample_of
from registry.models import Event
from registry.services.audit import verify_chain
from tests.monitoring.builders import register
from tests.monitoring.references.builders import (
    LABELS,
    LATER,
    MODEL,
    NOW,
    SIZE,
    N,
    answers,
    run_all,
    texts,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()


def ready(rows: list[Row] | None = None) -> Reference:
    row = services.ask_with_texts(MODEL, 1, rows or texts(), actor="ada", note="why", now=NOW)
    run_all()
    upkeep.advance(now=LATER)
    return Reference.objects.get(pk=row.pk)


def events() -> list[Event]:
    return list(Event.objects.filter(kind="rebaselined").order_by("id"))


def test_answered_texts_become_the_active_reference() -> None:
    row = ready()
    assert (row.state, row.is_active, row.n, row.n_labelled) == ("ready", True, N, N)
    assert row.ready_at == LATER
    active = load_active(MODEL, 1)
    assert active is not None
    assert (active.id, active.origin, active.ready_at) == (row.pk, "texts", LATER)
    assert not ReferenceChunk.objects.exists()


def test_its_numbers_are_those_of_the_answers() -> None:
    row = ready()
    active = load_active(MODEL, 1)
    assert active is not None
    sums, records = active.reference.sums, answers()
    truth, predicted = [text.label for text in texts()], [record.label for record in records]
    pairs = Counter(zip(truth, predicted, strict=True))
    expected = [[pairs[a, p] for p in LABELS] for a in LABELS]
    assert active.reference.confusion.tolist() == expected
    assert dict(zip(sums.labels, sums.label_counts.tolist(), strict=True)) == Counter(predicted)
    assert row.summary["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert row.summary["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    embeddings = np.stack([np.frombuffer(r.embedding, "<f2") for r in records]).astype(float)
    assert sums.embedding == pytest.approx(embeddings.sum(axis=0))
    assert (row.summary["embedding_size"], row.summary["is_whitened"]) == (SIZE, True)


def test_how_long_answers_took_is_not_taken_for_callers_waiting() -> None:
    ready()
    active = load_active(MODEL, 1)
    assert active is not None
    assert active.reference.sums.seconds.sum() == 0


def test_texts_may_be_unlabelled_or_labelled_in_part() -> None:
    row = ready([Row(f"the text number {i}", LABELS[0] if i < 5 else None, i) for i in range(N)])
    assert (row.n, row.n_labelled) == (N, 5)


def test_the_basis_of_a_version_is_made_once_and_stays() -> None:
    ready()
    first = load_basis(MODEL, 1)
    assert first is not None
    ready(texts(210))
    second, active = load_basis(MODEL, 1), load_active(MODEL, 1)
    assert second is not None
    assert active is not None
    assert first.name == second.name == active.reference.sums.basis
    assert Basis.objects.count() == 1


def test_a_maker_that_meets_another_basis_starts_over_with_it() -> None:
    """Two first references of a version at once: the slower one takes the other's basis."""
    row = services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=NOW)
    run_all()
    found = iter([None])

    def stale(model: str, version: int) -> object:
        return next(found, load_basis(model, version))

    other = services.ask_with_texts(MODEL, 1, texts(), actor="bob", now=NOW)
    run_all()
    upkeep.advance_one(Reference.objects.get(pk=other.pk), now=NOW)
    with patch.object(making, "load_basis", stale):
        assert upkeep.advance_one(Reference.objects.get(pk=row.pk), now=LATER)
    names = {decode(bytes(r.payload)).sums.basis for r in Reference.objects.all()}
    assert len(names) == 1


def test_making_one_is_audited_in_the_chain() -> None:
    first, second = ready(), ready()
    before, after = events()
    assert (after.actor, after.reason, after.number) == ("ada", "why", 1)
    assert before.details == {"reference": first.pk, "origin": "texts", "n": N, "replaced": None}
    assert after.details["replaced"] == first.pk
    assert verify_chain().is_sound
    assert list(Reference.objects.filter(is_active=True)) == [second]


def test_a_database_that_goes_away_leaves_everything_as_it_was() -> None:
    row = services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=NOW)
    run_all()
    gone = patch.object(making, "note_event", side_effect=OperationalError("gone"))
    with gone, pytest.raises(OperationalError):
        upkeep.advance(now=LATER)
    row.refresh_from_db()
    assert (row.state, row.is_active, Basis.objects.count()) == ("running", False, 0)
    assert upkeep.advance(now=LATER) == 1


def test_a_bug_fails_its_reference_and_no_other() -> None:
    first, second = (
        services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=NOW) for _ in range(2)
    )
    run_all()
    bug = iter([RuntimeError("oops")])

    def note(*arguments: object, **named: object) -> None:
        for error in bug:
            raise error

    with patch.object(making, "note_event", note):
        assert upkeep.advance(now=LATER) == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, first.payload, second.state) == ("failed", None, "ready")
    assert "the server's log" in first.error_message
    assert not upkeep.has_due()


def test_answers_that_are_all_alike_make_a_reference_or_fail_with_the_reason() -> None:
    row = services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=NOW)
    sample = sample_of(answers(embedding=bytes(2 * SIZE), label=LABELS[0]))
    make(row.pk, Material(sample=sample), now=NOW)
    row.refresh_from_db()
    assert row.state in {"ready", "failed"}
    assert bool(row.error_message) == (row.state == "failed")


def test_a_reference_that_was_cancelled_meanwhile_stays_so() -> None:
    row = services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=NOW)
    services.cancel(MODEL, row.pk)
    assert not make(row.pk, Material(sample=sample_of(answers())), now=NOW)
    row.refresh_from_db()
    assert (row.state, row.is_active) == (ReferenceState.CANCELLED, False)
    assert events() == []


def test_embeddings_of_another_size_fail_with_the_reason() -> None:
    ready()
    row = services.ask_with_texts(MODEL, 1, texts(), actor="ada", now=NOW)
    assert not make(row.pk, Material(sample=sample_of(answers(embedding=bytes(8)))), now=NOW)
    row.refresh_from_db()
    assert (row.state, row.error_code) == ("failed", "invalid_reference")


def test_texts_are_kept_only_where_texts_are_kept(settings) -> None:
    settings.BELLWETHER_STORE_TEXT = False
    assert ready().summary["n_texts"] == 0
    settings.BELLWETHER_STORE_TEXT = True
    assert ready().summary["n_texts"] == N


def test_old_inactive_references_go_when_there_are_many(monkeypatch) -> None:
    monkeypatch.setattr(making, "KEPT", 2)
    made = [ready(texts(200)) for _ in range(4)]
    kept = set(Reference.objects.values_list("pk", flat=True))
    assert kept == {row.pk for row in made[1:]}


def test_decoded_references_are_shared_until_their_texts_are_dropped() -> None:
    row = ready()
    first, second = load_active(MODEL, 1), load_active(MODEL, 1)
    assert first is not None
    assert second is not None
    assert first.reference is second.reference
    Reference.objects.filter(pk=row.pk).update(origin="accepted")
    assert upkeep.drop_old_texts(now=LATER + timedelta(days=29)) == 0
    assert upkeep.drop_old_texts(now=LATER + timedelta(days=31)) == 1
    third = load_active(MODEL, 1)
    assert third is not None
    assert third.reference.sample is not None
    assert set(third.reference.sample.texts) == {None}
    assert third.reference.sums.n == N
    assert upkeep.drop_old_texts(now=LATER + timedelta(days=31)) == 0
