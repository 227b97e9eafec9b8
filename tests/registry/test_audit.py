import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from registry import services
from registry.audit import GENESIS, Checkpoint, canonical, check_chain, event_hash, plain
from registry.errors import AuditBroken, ModelNotFound
from registry.models import Event, RegisteredModel
from registry.services import audit
from registry.services.common import add_event, lock_model
from registry.specs import EventKind
from registry.tasks import check_audit
from registry.timeline import load_links, who_answered

pytestmark = pytest.mark.django_db
MODEL = "team/tiny"


def sql(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def log(register) -> list[int]:
    """Ids of the events of a small life: two models, promotions, a rollback, details, reasons."""
    for seed in (1, 2):
        register(seed)
        services.promote(MODEL, seed, actor="alice", reason=f"reason {seed} – é")
    services.rollback(MODEL, actor="bob", reason="worse")
    register(3, name="team/other")
    row = RegisteredModel.objects.get(name="other")
    details = {"b": [1.0, 0.1, {"z": None}], "a": "é\0", "n": 1e22, "small": 1.5e-7}
    add_event(EventKind.SWAPPED, row, actor="replica", details=details, change=(None, 1))
    return list(Event.objects.order_by("id").values_list("id", flat=True))


def kinds(checkpoint: Checkpoint | None = None) -> set[str]:
    return {fault.kind for fault in audit.verify_chain(checkpoint).faults}


def test_an_untouched_log_is_sound(log):
    report = audit.verify_chain()
    assert report.is_sound
    assert (report.n_events, report.n_unsealed, report.head_id) == (len(log), 0, log[-1])
    assert report.head_hash == Event.objects.get(pk=log[-1]).hash
    assert Event.objects.get(pk=log[0]).previous_hash == GENESIS


def test_an_empty_log_is_sound():
    report = audit.verify_chain()
    assert (report.is_sound, report.n_events, report.head_hash) == (True, 0, "")


def test_the_hash_can_be_computed_by_others(log):
    row = Event.objects.get(pk=log[-1])
    at = row.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    text = (
        f'{{"actor":"replica","at":"{at}","details":{{"a":"é\ufffd","b":[1,0.1,{{"z":null}}],'
        f'"n":10000000000000000000000,"small":1.5e-07}},"from":null,"id":{row.pk},'
        '"kind":"swapped","model":"team/other","number":null,"reason":"","to":1}'
    )
    link = list(load_links())[-1]
    assert canonical(link.record).decode() == text
    assert event_hash(row.previous_hash, link.record) == row.hash


CHANGES = {
    "at": datetime(2020, 1, 1, tzinfo=UTC),
    "model_id": None,
    "model_name": "team/else",
    "number": 77,
    "kind": "retired",
    "actor": "mallory",
    "reason": "another",
    "details": json.dumps({"x": 1}),
    "from_number": 78,
    "to_number": 79,
    "previous_hash": "f" * 64,
    "hash": "e" * 64,
    "id": 1_000,
}


def test_the_changes_tried_are_those_of_every_column():
    assert set(CHANGES) == {field.attname for field in Event._meta.concrete_fields}


@pytest.mark.parametrize("column", CHANGES)
def test_any_changed_field_of_any_event_is_found(log, column):
    for event in log:
        with undone():
            sql(f"UPDATE registry_event SET {column} = %s WHERE id = %s", CHANGES[column], event)
            assert not audit.verify_chain().is_sound, (column, event)
    assert audit.verify_chain().is_sound


def test_a_change_is_found_even_with_its_hash_made_to_fit(log):
    for event in log[:-1]:
        with undone():
            sql("UPDATE registry_event SET reason = 'x' WHERE id = %s", event)
            link = next(link for link in load_links() if link.record.id == event)
            fitted = event_hash(link.previous_hash, link.record)
            sql("UPDATE registry_event SET hash = %s WHERE id = %s", fitted, event)
            assert kinds() == {"broken"}


def test_a_removed_event_is_found_but_for_the_last(log):
    for event in log[:-1]:
        with undone():
            sql("DELETE FROM registry_event WHERE id = %s", event)
            assert "broken" in kinds()


def test_events_that_change_places_are_found(log):
    for one, other in pairwise(log):
        with undone():
            for old, new in ((one, 9_999), (other, one), (9_999, other)):
                sql("UPDATE registry_event SET id = %s WHERE id = %s", new, old)
            assert kinds() >= {"broken", "changed"}


def test_an_added_event_is_found(log):
    Event.objects.bulk_create([Event(id=log[-1] + 1, kind="promoted", actor="mallory")])
    assert kinds() == {"unsealed"}


def test_an_event_added_in_between_with_fitting_hashes_of_its_own_is_found(log):
    sql("UPDATE registry_event SET id = id + 1000")
    row = Event(id=500, kind="promoted", actor="mallory", previous_hash=GENESIS, hash="a" * 64)
    Event.objects.bulk_create([row])
    assert kinds() >= {"changed", "broken"}


def test_an_event_given_to_another_model_or_none_is_found(log):
    other = RegisteredModel.objects.get(name="other").pk
    sql("UPDATE registry_event SET model_id = %s WHERE id = %s", other, log[1])
    assert kinds() == {"misplaced"}
    sql("UPDATE registry_event SET model_id = NULL WHERE id = %s", log[1])
    assert kinds() == {"detached"}


def test_the_events_of_a_deleted_model_stay_sound(log):
    row = RegisteredModel.objects.get(name="other")
    add_event(EventKind.DELETED, row, actor="alice")
    row.delete()
    assert audit.verify_chain().is_sound
    services.create_model("team/other", actor="alice")
    assert audit.verify_chain().is_sound
    again = RegisteredModel.objects.get(name="other").pk
    sql("UPDATE registry_event SET model_id = %s WHERE model_name = 'team/other'", again)
    assert kinds() == {"misplaced"}


def test_events_older_than_the_chain_are_allowed_only_first_and_cannot_be_changed(db):
    old = [Event(id=n, kind="created", actor="alice", reason=str(n)) for n in (3, 5)]
    Event.objects.bulk_create(old)
    assert audit.verify_chain().is_sound
    services.create_model("team/new", actor="alice")
    report = audit.verify_chain()
    assert (report.is_sound, report.n_unsealed, report.n_events) == (True, 2, 3)
    checkpoint = audit.write_checkpoint()
    for statement in (
        "UPDATE registry_event SET reason = 'x' WHERE id = 3",
        "DELETE FROM registry_event WHERE id = 5",
        "UPDATE registry_event SET hash = '', previous_hash = '' WHERE id = 6",
    ):
        with undone():
            sql(statement)
            assert not audit.verify_chain(checkpoint).is_sound


def test_a_checkpoint_shows_a_log_that_was_cut_or_rewritten(log):
    checkpoint = audit.write_checkpoint()
    assert (checkpoint.id, checkpoint.n_events) == (log[-1], len(log))
    assert audit.load_checkpoint() == checkpoint
    with undone():
        sql("DELETE FROM registry_event WHERE id >= %s", log[-2])
        assert kinds() == {"truncated"}
    with undone():
        sql("DELETE FROM registry_event")
        assert kinds() == {"truncated"}
    with undone():
        rewrite_from(log[2])
        assert kinds() == {"rewritten"}
        with pytest.raises(AuditBroken):
            audit.write_checkpoint()
        assert audit.load_checkpoint() == checkpoint
    services.promote(MODEL, 2, actor="alice")
    assert audit.verify_chain().is_sound


def test_the_daily_task_keeps_a_checkpoint_and_fails_where_the_log_is_not_sound(log):
    assert check_audit.func() == {
        "n_events": len(log),
        "head": Event.objects.get(pk=log[-1]).hash,
    }
    assert audit.load_checkpoint().id == log[-1]
    sql("UPDATE registry_event SET actor = 'x' WHERE id = %s", log[0])
    with pytest.raises(AuditBroken, match=f"event {log[0]}"):
        check_audit.func()


def test_a_checkpoint_that_cannot_be_read_is_said_to_be_so(log, home):
    audit.write_checkpoint()
    for text in ("", "[]", "{}", '{"id": "x"}'):
        (home / audit.CHECKPOINT).write_text(text)
        with pytest.raises(AuditBroken):
            audit.verify_chain()


def test_a_report_names_the_first_faults_and_counts_all(register):
    for seed in range(15):
        register(seed)
    sql("UPDATE registry_event SET actor = 'x'")
    report = audit.verify_chain()
    assert (report.n_faults, len(report.faults)) == (report.n_events, 16)
    assert report.n_events == 16
    sql("UPDATE registry_event SET previous_hash = ''")
    assert len(audit.verify_chain().faults) == 20


def test_what_no_database_can_hold_never_becomes_part_of_an_event():
    assert plain({"a\0": "\ud800", "t": (1, 2)}) == {"a\ufffd": "?", "t": [1, 2]}
    with pytest.raises(ValueError, match="JSON"):
        plain({"x": float("nan")})


def test_who_answered_follows_promotions_and_rollbacks(log):
    times = {row.pk: row.at for row in Event.objects.all()}
    promoted = list(Event.objects.filter(model_name=MODEL, to_number__gt=0).order_by("id"))
    assert [row.to_number for row in promoted] == [1, 2, 1]
    before = who_answered(MODEL, times[log[0]])
    assert (before.number, before.since, before.digest) == (None, None, None)
    for row in promoted:
        found = who_answered(MODEL, row.at)
        assert (found.number, found.since.id, found.decision.id) == (row.to_number, row.pk, row.pk)
        assert (found.since.actor, found.since.reason) == (row.actor, row.reason)
        assert len(found.digest) == 64
        assert who_answered(MODEL, row.at - timedelta(microseconds=1)).since != found.since


def test_a_version_answers_from_the_swap_on_and_the_decision_says_why(log):
    model = RegisteredModel.objects.get(name="tiny")
    swap_to(model, 1)
    services.promote(MODEL, 2, actor="carol", reason="better again")
    waiting = who_answered(MODEL, timezone.now())
    assert (waiting.number, waiting.since.kind) == (1, "swapped")
    assert (waiting.decision.kind, waiting.decision.reason) == ("rolled_back", "worse")
    swap_to(model, 2)
    done = who_answered(MODEL, timezone.now())
    assert (done.number, done.decision.actor, done.decision.reason) == (2, "carol", "better again")


def test_weights_may_change_without_another_version_answering(log):
    model = RegisteredModel.objects.get(name="tiny")
    swap_to(model, 1)
    first = Event.objects.first()
    swap_to(model, 1)
    assert who_answered(MODEL, timezone.now()).since.id == first.pk
    swap_to(model, None)
    ended = who_answered(MODEL, timezone.now())
    assert (ended.number, ended.since.to_number, ended.decision) == (None, None, None)
    swap_to(model, 1)
    assert who_answered(MODEL, timezone.now()).since.id == Event.objects.first().pk


def test_who_answered_outlives_the_model_and_ends_with_it(log):
    at = timezone.now()
    row = RegisteredModel.objects.get(name="other")
    add_event(EventKind.DELETED, row, actor="alice")
    row.routes.all().delete()
    row.delete()
    found = who_answered("team/other", at)
    assert (found.number, found.digest) == (1, None)
    assert who_answered("team/other", timezone.now()).number is None
    with pytest.raises(ModelNotFound):
        who_answered("team/never", at)


def swap_to(model: RegisteredModel, number: int | None) -> None:
    add_event(EventKind.SWAPPED, model, actor="replica", change=(None, number))


@contextmanager
def undone() -> Iterator[None]:
    """What the block does to the database is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def rewrite_from(event: int) -> None:
    """What somebody who knows the rule does: change an event, then fit every hash after it."""
    sql("UPDATE registry_event SET reason = 'forged' WHERE id = %s", event)
    previous = ""
    for link in list(load_links()):
        if link.record.id >= event:
            fitted = event_hash(previous, link.record)
            sql(
                "UPDATE registry_event SET previous_hash = %s, hash = %s WHERE id = %s",
                previous,
                fitted,
                link.record.id,
            )
            previous = fitted
        else:
            previous = link.hash
    assert check_chain(load_links()).is_sound


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_one_chain_and_never_wait_for_each_other_in_a_circle(home):
    names = ["team/m0", "team/m1"]
    for name in names:
        services.create_model(name, actor="alice")
    errors: list[BaseException] = []

    def write(first: int) -> None:
        try:
            for n in range(12):
                name = names[n % 2]
                with transaction.atomic():
                    # Half of the writers do not lock their model first, though they should.
                    if first % 2:
                        model = lock_model(name)
                    else:
                        model = RegisteredModel.objects.get(name=name.split("/")[1])
                    add_event(EventKind.VERIFIED, model, actor=f"writer {first}")
                    if n % 3 == 0:
                        transaction.set_rollback(True)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    report = audit.verify_chain()
    assert report.is_sound, report.faults
    assert report.n_events == 2 + 4 * 8
