"""Texts that wait for their version: leases, chunks that are answered once, an end to trying."""

from datetime import timedelta

import pytest

from inference.errors import InputFailed
from monitoring.models import Reference, ReferenceChunk, ReferenceState
from monitoring.references import services
from monitoring.references.readers import Row
from monitoring.references.work import (
    CHUNK,
    LEASE_S,
    MAX_ATTEMPTS,
    Texts,
    load_answers,
    pack_records,
    unpack_records,
)
from tests.monitoring.builders import register
from tests.monitoring.references.builders import (
    MODEL,
    NOW,
    N,
    answers,
    answers_to,
    run_all,
    texts,
)

pytestmark = pytest.mark.django_db
AFTER_LEASE = NOW + timedelta(seconds=LEASE_S + 1)


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()


def ask(rows: list[Row] | None = None) -> Reference:
    return services.ask_with_texts(MODEL, 1, rows or texts(), actor="tests", now=NOW)


def stored(row: Reference) -> Reference:
    return Reference.objects.get(pk=row.pk)


def test_records_come_back_as_they_were_kept() -> None:
    records = answers(3)
    assert unpack_records(pack_records(records)) == records


def test_every_text_is_handed_out_once_and_in_order() -> None:
    row, source, seen = ask(), Texts(), []
    while held := source.claim("a", now=NOW):
        assert (held.model, held.version) == (MODEL, 1)
        seen += held.texts
        source.finish(held, answers_to(held), now=NOW)
    assert seen == [text.text for text in texts()]
    assert (stored(row).n_done, stored(row).state) == (N, ReferenceState.RUNNING)
    records, labels = load_answers(row.pk)
    assert [record.text for record in records] == seen
    assert labels == [text.label for text in texts()]


def test_a_reference_is_one_owners_until_its_lease_ends() -> None:
    ask()
    source = Texts()
    first = source.claim("a", now=NOW)
    assert first is not None
    assert source.claim("b", now=NOW) is None
    heir = source.claim("b", now=AFTER_LEASE)
    assert heir is not None
    assert heir.texts == first.texts
    assert not source.renew(first, now=AFTER_LEASE)
    source.finish(first, answers_to(first), now=AFTER_LEASE)
    assert ReferenceChunk.objects.filter(results__isnull=False).count() == 0
    source.finish(heir, answers_to(heir), now=AFTER_LEASE)
    assert Reference.objects.get().n_done == CHUNK


def test_a_renewed_lease_holds() -> None:
    ask()
    source = Texts()
    held = source.claim("a", now=NOW)
    assert held is not None
    assert source.renew(held, now=NOW + timedelta(seconds=LEASE_S - 1))
    assert source.claim("b", now=AFTER_LEASE) is None


def test_two_owners_work_on_two_references() -> None:
    first, second = ask(), ask()
    source = Texts()
    held = [source.claim(owner, now=NOW) for owner in ("a", "b", "c")]
    assert [each and each.reference for each in held] == [first.pk, second.pk, None]


def test_a_killed_process_costs_one_chunk() -> None:
    ask()
    source = Texts()
    assert run_all(source, owner="dies", limit=2) == 2
    source.claim("dies", now=NOW)
    heir = source.claim("heir", now=AFTER_LEASE)
    assert heir is not None
    assert heir.index == 2


def test_texts_that_end_processes_are_given_up_and_forgotten() -> None:
    row, now, source = ask(), NOW, Texts()
    for n in range(MAX_ATTEMPTS):
        assert source.claim(f"dies-{n}", now=now) is not None
        now += timedelta(seconds=LEASE_S + 1)
    assert source.claim("next", now=now) is None
    assert (stored(row).state, stored(row).error_code) == ("failed", "reference_gave_up")
    assert not ReferenceChunk.objects.exists()


def test_a_chunk_that_is_done_resets_the_attempts() -> None:
    ask()
    source, now = Texts(), NOW
    for n in range(MAX_ATTEMPTS + 2):
        held = source.claim(f"dies-{n}", now=now)
        assert held is not None
        source.finish(held, answers_to(held), now=now)
        now += timedelta(seconds=LEASE_S + 1)


def test_an_orderly_stop_gives_the_texts_back_without_counting() -> None:
    ask()
    source = Texts()
    assert run_all(source, limit=1) == 1
    for n in range(2 * MAX_ATTEMPTS):
        held = source.claim(f"stops-{n}", now=AFTER_LEASE)
        assert held is not None
        source.release(held)


def test_a_failure_names_the_text_and_forgets_them_all() -> None:
    row, source = ask(), Texts()
    run_all(source, limit=2)
    held = source.claim("a", now=NOW)
    assert held is not None
    source.fail(held, InputFailed("It is too odd.", details={"index": 3}), now=NOW)
    failed = stored(row)
    assert (failed.state, failed.error_code) == ("failed", "input_failed")
    assert failed.error_message == f"Text {2 * CHUNK + 4} cannot be answered: It is too odd."
    assert not ReferenceChunk.objects.exists()
    assert source.claim("a", now=NOW) is None


def test_what_is_cancelled_takes_no_more_answers() -> None:
    row, source = ask(), Texts()
    held = source.claim("a", now=NOW)
    assert held is not None
    services.cancel(MODEL, row.pk)
    assert not source.renew(held, now=NOW)
    source.finish(held, answers_to(held), now=NOW)
    source.fail(held, InputFailed("late"), now=NOW)
    assert (stored(row).state, stored(row).n_done) == (ReferenceState.CANCELLED, 0)
    assert source.claim("a", now=NOW) is None


def test_answers_must_be_as_many_as_texts() -> None:
    ask()
    source = Texts()
    held = source.claim("a", now=NOW)
    assert held is not None
    with pytest.raises(ValueError, match="3 answers to 32 texts"):
        source.finish(held, answers(3), now=NOW)
