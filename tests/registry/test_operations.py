"""Operations: claimed once, watched, ended well or not, never silently lost."""

import errno
import threading
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from registry import tasks
from registry.errors import (
    InvalidField,
    OperationEnded,
    OperationNotFound,
    OperationTaken,
    StoreFull,
)
from registry.models import Operation
from registry.services import operations
from registry.services.operations import Watch
from registry.specs import OperationKind, OperationState

KIND = OperationKind.DRILL

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def workers() -> Iterator[dict]:
    """The registered workers, as they were before the test at its end."""
    before = dict(operations._workers)
    operations._workers[KIND] = lambda watch: {}
    yield operations._workers
    operations._workers.clear()
    operations._workers.update(before)


def start(**parameters: object) -> UUID:
    return operations.start(KIND, "a drill", actor="alice", parameters=parameters)


def row(operation_id: UUID) -> Operation:
    return Operation.objects.get(pk=operation_id)


def test_a_new_operation_waits_with_its_parameters():
    found = row(start(target="cold"))
    assert (found.state, found.actor, found.parameters) == ("queued", "alice", {"target": "cold"})
    assert found.started_at is None


def test_work_that_ends_leaves_its_result():
    operation_id = start()
    with operations.running(operation_id) as watch:
        watch(5, 10)
        assert row(operation_id).state == OperationState.RUNNING
        watch.result = {"n": 1}
    found = row(operation_id)
    assert (found.state, found.result, found.done, found.total) == ("done", {"n": 1}, 5, 10)
    assert found.finished_at >= found.heartbeat_at >= found.started_at


def test_finish_ends_it_with_a_result():
    operation_id = start()
    with operations.running(operation_id):
        operations.finish(operation_id, {"n": 2})
    assert row(operation_id).result == {"n": 2}


def test_an_expected_failure_is_recorded_and_raised_on():
    operation_id = start()
    with pytest.raises(StoreFull), operations.running(operation_id):
        raise StoreFull("make room")
    found = row(operation_id)
    assert (found.state, found.error_code, found.message) == ("failed", "store_full", "make room")


def test_a_bug_is_recorded_without_its_own_words(caplog):
    operation_id = start()
    with pytest.raises(KeyError), operations.running(operation_id):
        raise KeyError("/home/secret")
    found = row(operation_id)
    assert (found.state, found.error_code) == ("failed", "internal_error")
    assert "secret" not in found.message
    assert str(operation_id) in caplog.text


def test_a_full_disk_is_an_expected_failure():
    operation_id = start()
    with pytest.raises(StoreFull), operations.running(operation_id):
        raise OSError(errno.ENOSPC, "no space left")
    assert row(operation_id).error_code == "store_full"


def test_another_failure_of_the_disk_is_a_bug(caplog):
    operation_id = start()
    with pytest.raises(OSError, match="input/output"), operations.running(operation_id):
        raise OSError(errno.EIO, "input/output error")
    assert row(operation_id).error_code == "internal_error"


def test_work_that_is_interrupted_can_be_tried_again():
    operation_id = start()
    with pytest.raises(KeyboardInterrupt), operations.running(operation_id):
        raise KeyboardInterrupt
    assert row(operation_id).error_code == "operation_lost"
    operations.requeue(operation_id)
    with operations.running(operation_id):
        pass
    assert row(operation_id).state == OperationState.DONE


def test_progress_is_written_at_most_twice_a_second(django_assert_num_queries):
    with operations.running(start()) as watch:
        watch(1, 1000)
        with django_assert_num_queries(0):
            for done in range(2, 1000):
                watch(done, 1000)
        with django_assert_num_queries(1):
            watch(1000, 1000)


def test_somebody_beside_sees_every_step():
    seen = []
    with operations.running(start(), progress=lambda *step: seen.append(step)) as watch:
        for done in range(3):
            watch(done, 3)
    assert seen == [(0, 3), (1, 3), (2, 3)]


def test_a_message_says_what_is_being_done():
    operation_id = start()
    with operations.running(operation_id) as watch:
        watch.say("copying " + "x" * 1000)
        assert row(operation_id).message.startswith("copying x")


def test_an_operation_is_worked_by_one_process_only():
    operation_id = start()
    with (
        operations.running(operation_id),
        pytest.raises(OperationTaken, match="running"),
        operations.running(operation_id),
    ):
        pytest.fail("worked twice")
    with pytest.raises(OperationTaken, match="done"), operations.running(operation_id):
        pytest.fail("worked again")


def test_what_is_not_there_is_not_found():
    for act in (operations.requeue, operations.find_operation):
        with pytest.raises(OperationNotFound):
            act(uuid4())
    with pytest.raises(OperationNotFound), operations.running(uuid4()):
        pytest.fail("worked")


def test_a_cancelled_operation_stops_its_work_at_the_next_step():
    operation_id = start()

    def work() -> None:
        with operations.running(operation_id) as watch:
            operations.cancel(operation_id, actor="bob")
            watch(10, 10)

    with pytest.raises(OperationEnded):
        work()
    found = row(operation_id)
    assert (found.state, found.error_code) == ("failed", "operation_cancelled")
    assert "bob" in found.message
    with pytest.raises(OperationTaken):
        operations.cancel(operation_id, actor="bob")


def test_an_operation_without_a_heartbeat_is_lost_and_its_late_work_changes_nothing():
    operation_id, now = start(), timezone.now()

    def work() -> None:
        with operations.running(operation_id) as watch:
            assert operations.fail_lost(now=now + timedelta(seconds=100)) == 0
            assert operations.fail_lost(now=now + timedelta(seconds=200)) == 1
            assert row(operation_id).error_code == "operation_lost"
            operations.requeue(operation_id)
            watch(10, 10)

    with pytest.raises(OperationEnded):
        work()
    assert row(operation_id).state == OperationState.QUEUED


def test_a_waiting_operation_is_never_lost():
    operation_id = start()
    assert operations.fail_lost(now=timezone.now() + timedelta(days=1)) == 0
    assert row(operation_id).state == OperationState.QUEUED


def test_old_operations_are_forgotten():
    operation_id = start()
    with operations.running(operation_id):
        pass
    operations.fail_lost(now=timezone.now() + timedelta(days=91))
    assert not Operation.objects.filter(pk=operation_id).exists()


def test_only_what_failed_is_tried_again():
    operation_id = start()
    with pytest.raises(OperationTaken, match="queued"):
        operations.requeue(operation_id)


def test_a_kind_without_a_worker_is_not_tried_again(workers):
    operation_id = start()
    with pytest.raises(StoreFull), operations.running(operation_id):
        raise StoreFull("make room")
    del workers[KIND]
    with pytest.raises(OperationTaken, match="started anew"):
        operations.requeue(operation_id)


def test_a_title_is_bounded():
    with pytest.raises(InvalidField):
        operations.start(KIND, "x" * 301, actor="alice")


def test_a_command_works_on_the_spot(workers):
    @operations.worker(KIND)
    def _work(watch: Watch) -> dict:
        watch(1, 1)
        return {"echo": watch.parameters["word"], "by": watch.actor}

    seen = []
    result = operations.work_inline(
        KIND,
        "a drill",
        actor="alice",
        parameters={"word": "hi"},
        progress=lambda *step: seen.append(step),
    )
    assert (result, seen) == ({"echo": "hi", "by": "alice"}, [(1, 1)])
    assert Operation.objects.get().result == result


def test_a_request_leaves_the_work_to_the_queue(workers):
    @operations.worker(KIND)
    def _work(watch: Watch) -> dict:
        raise StoreFull("make room")

    operation_id = tasks.enqueue(KIND, "a drill", actor="alice")
    assert row(operation_id).state == OperationState.QUEUED
    tasks.work_on.call(str(operation_id))
    assert row(operation_id).error_code == "store_full"
    tasks.retry(operation_id)
    assert row(operation_id).state == OperationState.QUEUED


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_goes_on_while_the_work_is_silent(monkeypatch):
    monkeypatch.setattr(operations, "HEARTBEAT_S", 0.02)
    operation_id = start()
    with operations.running(operation_id):
        first = row(operation_id).heartbeat_at
        for _ in range(200):
            if row(operation_id).heartbeat_at > first:
                break
            threading.Event().wait(0.02)
        assert row(operation_id).heartbeat_at > first
