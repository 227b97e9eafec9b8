"""How the service itself is: its queue and recorder, its worker, its database, disks and replicas.

What only a serving process knows comes from its probes; everything else is read here.
"""

import platform
import shutil
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib import metadata
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Min, Q
from django_tasks import TaskResultStatus
from django_tasks_db.models import DBTaskResult, get_date_max

from monitoring.dashboard.probes import Probes, Reading
from monitoring.dashboard.probes import probes as own_probes
from monitoring.evaluating import leases
from monitoring.models import Lease
from registry import overview as registry
from registry.location import open_store
from registry.overview import ReplicaOverview

STALE_TASK = timedelta(minutes=5)
SLOW_DATABASE_S = 0.25
LOW_DISK, FULL_DISK = 0.10, 0.03
ELSEWHERE = Reading(
    "not known here",
    "",
    "Only a process that serves predictions knows it, and this one does not.",
)
# Name of the probe → title, and what a person should know of it.
PROBED = {
    "readiness": ("Ready to answer", "Whether this process has all that it should answer with."),
    "queue": (
        "Queue",
        "Texts that wait for the model in this process. Full, it refuses requests at once.",
    ),
    "recorder": (
        "Recorder",
        "How old the oldest prediction is that is in the journal and not yet in the database.",
    ),
    "journal": (
        "Journal",
        "What this machine's disk keeps until the database has it, so that no answer is lost.",
    ),
    "jobs": ("Prediction jobs", "Jobs that wait or run; serving processes work on them."),
    "memory": (
        "Memory",
        "Used of what this process may use; a model that does not fit is refused.",
    ),
}
PACKAGES = ("django", "django-unfold", "torch", "transformers", "tokenizers", "uvicorn", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vital:
    """One line of the health card: a fact, whether it is good, and what it means."""

    title: str
    value: str
    state: str
    note: str
    help: str

    @property
    def word(self) -> str:
        """The state as a word; none where it is neither good nor bad."""
        return {"good": "fine", "warn": "look at it", "bad": "broken"}.get(self.state, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """All vitals, the replicas that were heard of lately, and the software's versions."""

    vitals: tuple[Vital, ...]
    replicas: tuple[ReplicaOverview, ...]
    software: tuple[tuple[str, str], ...]

    @property
    def n_bad(self) -> int:
        return sum(vital.state in ("bad", "warn") for vital in self.vitals)

    @property
    def trouble(self) -> str:
        return "1 thing needs a look" if self.n_bad == 1 else f"{self.n_bad} things need a look"


def load_health(*, now: datetime, probes: Probes = own_probes) -> Health:
    """Everything, in a constant number of queries; a probe that hangs delays it half a second."""
    found = probes.read()
    replicas = registry.load_replicas()
    return Health(
        vitals=(
            *(
                _vital(title, found.get(name, ELSEWHERE), help)
                for name, (title, help) in PROBED.items()
            ),
            _worker(now),
            _tasks(now),
            _database(),
            *_disks(),
            _replicas(replicas),
        ),
        replicas=replicas,
        software=load_software(),
    )


@cache
def load_software() -> tuple[tuple[str, str], ...]:
    """Name and version of what serves; a package that is not there says so."""
    return (("Python", platform.python_version()), *((name, _version(name)) for name in PACKAGES))


def judge_disk(free: int, total: int) -> str:
    """bad under 3 % free, warn under 10 %.

    >>> judge_disk(50, 100), judge_disk(5, 100), judge_disk(1, 100)
    ('good', 'warn', 'bad')
    """
    share = free / total if total else 0.0
    return "bad" if share < FULL_DISK else "warn" if share < LOW_DISK else "good"


def _worker(now: datetime) -> Vital:
    lease = Lease.objects.filter(name=leases.SCHEDULER).first()
    return _vital(
        "Worker",
        judge_lease(lease, now),
        "The process manage.py work: it evaluates, notifies and backs up. One of them schedules.",
    )


def judge_lease(lease: Lease | None, now: datetime) -> Reading:
    """Whether somebody schedules, by the lease that the scheduler must renew."""
    remedy = "Nothing is evaluated and nobody is told: start manage.py work, or make serve."
    if lease is None:
        return Reading("none", "bad", f"No worker has been here. {remedy}")
    beat = now - (lease.until_at - leases.LENGTH)
    if lease.until_at <= now:
        return Reading(f"silent for {duration(beat)}", "bad", remedy)
    return Reading("works", "good", f"{lease.owner} spoke {duration(beat)} ago.")


def _tasks(now: datetime) -> Vital:
    is_due = Q(run_after__lte=now) | Q(run_after=get_date_max())
    waiting = Q(is_due, status=TaskResultStatus.READY)
    failed = Q(status=TaskResultStatus.FAILED, finished_at__gt=now - timedelta(days=1))
    found = DBTaskResult.objects.aggregate(
        n=Count("pk", filter=waiting),
        oldest=Min("enqueued_at", filter=waiting),
        n_running=Count("pk", filter=Q(status=TaskResultStatus.RUNNING)),
        n_failed=Count("pk", filter=failed),
    )
    waits = now - found["oldest"] if found["oldest"] else timedelta(0)
    notes = [f"The oldest waits for {duration(waits)}."] if found["n"] else []
    notes += [f"{found['n_failed']} failed in the past day."] if found["n_failed"] else []
    state = "bad" if waits > STALE_TASK else "warn" if found["n_failed"] else "good"
    value = f"{found['n']:,} waiting, {found['n_running']:,} running"
    help = "Evaluations, notifications, backups and the like, which the worker does in turn."
    return _vital("Background tasks", Reading(value, state, " ".join(notes)), help)


def _database() -> Vital:
    started = time.perf_counter()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError as error:
        reading = Reading("does not answer", "bad", str(error)[:300])
    else:
        took_s = time.perf_counter() - started
        state = "warn" if took_s > SLOW_DATABASE_S else "good"
        size = f"{megabytes(_sqlite_bytes())} on disk." if connection.vendor == "sqlite" else ""
        value = f"{connection.display_name}, {1000 * took_s:.2f} ms"
        reading = Reading(value, state, size)
    return _vital("Database", reading, "The time is that of the smallest query there is.")


def _sqlite_bytes() -> int:
    name = Path(str(connection.settings_dict["NAME"]))
    files = (name.with_name(name.name + end) for end in ("", "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _disks() -> list[Vital]:
    """The disk of BELLWETHER_HOME, and that of the artifacts where it is another one."""
    home = Path(settings.BELLWETHER_HOME)
    places = {"Disk": home, "Disk of the artifacts": open_store().root}
    devices: set[int] = set()
    found = []
    for title, path in places.items():
        device = path.stat().st_dev if path.exists() else None
        if device is None or device in devices:
            continue
        devices.add(device)
        usage = shutil.disk_usage(path)
        value = f"{usage.free / 1e9:,.1f} GB free of {usage.total / 1e9:,.1f} GB"
        reading = Reading(value, judge_disk(usage.free, usage.total))
        help = "Full, nothing can be recorded, and predictions are refused rather than lost."
        found.append(_vital(title, reading, help))
    return found


def _replicas(replicas: tuple[ReplicaOverview, ...]) -> Vital:
    n_ready = sum(replica.is_alive and replica.is_ready for replica in replicas)
    state = "good" if replicas and n_ready == len(replicas) else "warn" if n_ready else "bad"
    value = f"{n_ready} ready of {len(replicas)}"
    note = "" if replicas else "No process serves: start one with make serve."
    return _vital("Replicas", Reading(value, state, note), "Processes that answer predictions.")


def _vital(title: str, reading: Reading, help: str) -> Vital:
    return Vital(
        title=title, value=reading.value, state=reading.state, note=reading.note, help=help
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:,.1f} MB"


def duration(passed: timedelta) -> str:
    """A length of time in its largest unit.

    >>> duration(timedelta(seconds=95)), duration(timedelta(hours=5))
    ('1 min', '5 h')
    """
    seconds = max(0, int(passed.total_seconds()))
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
