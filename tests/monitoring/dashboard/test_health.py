"""System health: what is read, what a serving process is asked, and what a hanging part does."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from monitoring.dashboard import health
from monitoring.dashboard.health import Vital, load_health
from monitoring.dashboard.probes import Probes, Reading
from monitoring.evaluating import leases
from registry.models import Replica
from tests.access.people import make_person
from tests.monitoring.dashboard.homes import HOUR, MINUTE, NOW


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a probe of a test hangs on, until the test is over."""
    event = threading.Event()
    yield event
    event.set()


def vitals(probes: Probes | None = None) -> dict[str, Vital]:
    found = load_health(now=NOW, probes=probes or Probes())
    return {vital.title: vital for vital in found.vitals}


def test_a_probe_that_fails_says_so_and_the_others_answer() -> None:
    def fail() -> Reading:
        raise OSError("no such disk")

    probes = Probes()
    probes.register("queue", fail)
    probes.register("recorder", lambda: Reading("0.1 s behind", "good"))
    found = probes.read()
    assert found["queue"] == Reading("cannot be read", "bad", "OSError: no such disk")
    assert found["recorder"].value == "0.1 s behind"


def test_a_probe_that_hangs_is_left_alone_until_it_answers(gate: threading.Event) -> None:
    n_asked = []

    def hang() -> Reading:
        n_asked.append(1)
        gate.wait(30)
        return Reading("at last")

    probes = Probes(timeout_s=0.01)
    probes.register("queue", hang)
    assert [probes.read()["queue"].value for _ in range(3)] == ["does not answer"] * 3
    assert len(n_asked) == 1


def test_forgotten_probes_are_not_asked() -> None:
    probes = Probes()
    probes.register("queue", lambda: Reading("3 of 10 texts"))
    probes.clear()
    assert probes.read() == {}


@pytest.mark.django_db
def test_what_only_a_serving_process_knows_is_not_known_elsewhere() -> None:
    queue = vitals()["Queue"]
    assert (queue.value, queue.state) == ("not known here", "")
    assert "this one does not" in queue.note


@pytest.mark.django_db
def test_what_a_serving_process_says_is_shown() -> None:
    probes = Probes()
    probes.register("queue", lambda: Reading("3 of 10 texts", "warn"))
    queue = vitals(probes)["Queue"]
    assert (queue.value, queue.word) == ("3 of 10 texts", "look at it")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("beaten_ago", "value", "state"),
    [(None, "none", "bad"), (10, "works", "good"), (300, "silent for 5 min", "bad")],
    ids=["never", "just now", "long ago"],
)
def test_a_worker_is_known_by_its_last_beat(beaten_ago: int | None, value: str, state: str) -> None:
    if beaten_ago is not None:
        leases.hold(leases.SCHEDULER, "box-1", NOW - timedelta(seconds=beaten_ago))
    worker = vitals()["Worker"]
    assert (worker.value, worker.state) == (value, state)


def add_task(**fields: object) -> None:
    made = DBTaskResult.objects.create(
        task_path="monitoring.tasks.evaluate_due", args_kwargs={"args": [], "kwargs": {}}, **fields
    )
    DBTaskResult.objects.filter(pk=made.pk).update(enqueued_at=NOW - HOUR)


@pytest.mark.django_db
def test_a_task_that_waits_for_long_is_told() -> None:
    add_task(status=TaskResultStatus.READY, run_after=get_date_max())
    tasks = vitals()["Background tasks"]
    assert (tasks.value, tasks.state) == ("1 waiting, 0 running", "bad")
    assert tasks.note == "The oldest waits for 1 h."


@pytest.mark.django_db
def test_a_task_for_later_waits_for_nobody() -> None:
    add_task(status=TaskResultStatus.READY, run_after=NOW + HOUR)
    assert vitals()["Background tasks"].value == "0 waiting, 0 running"


@pytest.mark.django_db
def test_failed_tasks_of_the_past_day_are_told() -> None:
    for ago in (HOUR, 30 * HOUR):
        add_task(status=TaskResultStatus.FAILED, run_after=get_date_max(), finished_at=NOW - ago)
    tasks = vitals()["Background tasks"]
    assert (tasks.state, tasks.note) == ("warn", "1 failed in the past day.")


@pytest.mark.django_db
def test_the_database_and_the_disk_are_measured() -> None:
    found = vitals()
    assert found["Database"].state == "good"
    assert "GB free of" in found["Disk"].value


@pytest.mark.django_db
def test_without_a_replica_nothing_serves() -> None:
    replicas = vitals()["Replicas"]
    assert (replicas.value, replicas.state) == ("0 ready of 0", "bad")


@pytest.mark.django_db
def test_replicas_that_were_heard_of_lately_are_counted(client: Client) -> None:
    Replica.objects.create(id="box-1", is_ready=True)
    Replica.objects.create(id="box-2", is_ready=False)
    assert vitals()["Replicas"].value == "1 ready of 2"
    client.force_login(make_person("viewer"))
    text = client.get(reverse("dashboard:health")).text
    assert "box-1" in text
    assert "not ready" in text


@pytest.mark.django_db
def test_the_page_explains_every_vital_sign(client: Client) -> None:
    client.force_login(make_person("viewer"))
    text = client.get(reverse("dashboard:health")).text
    for title, _ in health.PROBED.values():
        assert title in text
    assert "Django" in text or "django" in text
    assert "broken" in text


def test_a_package_that_is_not_there_is_said_not_to_be() -> None:
    assert health._version("no-such-package") == "not installed"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (95, "1 min"), (5 * 3600, "5 h"), (3 * 86_400, "3 d")]
)
def test_a_length_of_time_is_in_its_largest_unit(seconds: int, text: str) -> None:
    assert health.duration(timedelta(seconds=seconds)) == text
    assert health.duration(-MINUTE) == "0 s"
