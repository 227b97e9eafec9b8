"""The only writer of what is kept of a job's file: how it begins, and each chunk's end."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.db.models import F

from inference.errors import ModelNotReady
from inference.jobs import storage
from inference.jobs.labels import TrueLabel
from inference.jobs.looking import Look, Wanted, look_at
from inference.jobs.models import Job, JobFile, JobState
from inference.jobs.readers import Source
from inference.jobs.rows import Format, Layout, Limits, Place
from inference.jobs.services import LEASE_S, Claim, held
from inference.jobs.storage import JobFolder, Segment
from inference.jobs.writers import Shape
from registry import queries

_LEAST_ROW_BYTES = 1024 * 1024
_ROW_SPARE_BYTES = 64 * 1024
_BYTES_PER_CHAR = 4
_UNPACKED_RATIO = 10


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants which model to answer a file, and what becomes of it."""

    model: str
    wanted: Wanted
    keeps_columns: bool
    key_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job's file is: what a chunk moves. `n_bytes_read` is of the file as it lies there;
    the last of `segments` is the one that grows.
    """

    place: Place
    segments: tuple[Segment, ...]
    n_bytes_read: int

    @property
    def has_results(self) -> bool:
        return any(segment.n_result_bytes for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Work:
    """All that is needed to go on with a job's file."""

    folder: JobFolder
    source: Source
    shape: Shape
    progress: Progress
    pending: tuple[TrueLabel, ...]


def get_root() -> Path:
    """Where jobs keep their files; costs nothing, so it is asked for every time."""
    return Path(settings.BELLWETHER_HOME) / "jobs"


def get_limits() -> Limits:
    chars = settings.BELLWETHER_MAX_TEXT_CHARS
    row_bytes = max(_LEAST_ROW_BYTES, _BYTES_PER_CHAR * chars + _ROW_SPARE_BYTES)
    return Limits(chars, row_bytes, _UNPACKED_RATIO * settings.BELLWETHER_MAX_JOB_BYTES)


def sees(job_id: UUID) -> bool:
    """Whether the job's file is on a disk that this process sees."""
    return storage.folder_of(get_root(), job_id).is_here()


def require_task(model: str) -> str:
    """The task of a model's live version. Raises ModelNotFound or ModelNotReady."""
    spec = queries.load_live_version(model)
    if spec is None:
        raise ModelNotReady(
            f"{model} has no live version: promote one first.", details={"model": model}
        )
    return spec.task


def create(order: Order, incoming: Path, *, now: datetime) -> UUID:
    """Make a job of the file at `incoming`, which is taken away from there; it is durable then.

    Raises ModelNotFound, ModelNotReady, JobFileRefused, JobFormatUnavailable or JobDiskFull.
    """
    task = require_task(order.model)
    look = look_at(incoming, order.wanted, get_limits())
    job_id = uuid4()
    folder = storage.adopt(get_root(), incoming, job_id)
    try:
        with transaction.atomic():
            job = Job.objects.create(
                pk=job_id,
                model=order.model,
                n_inputs=look.n_rows,
                key_id=order.key_id,
                request_id=order.request_id,
                created_at=now,
            )
            JobFile.objects.create(job=job, **_facts(look, order, task))
    except BaseException:
        folder.remove()
        raise
    return job_id


def _facts(look: Look, order: Order, task: str) -> dict[str, object]:
    source = look.source
    return {
        "format": source.format.value,
        "is_gzip": source.is_gzip,
        "task": task,
        "text_column": source.layout.text,
        "label_column": source.layout.label,
        "keeps_columns": order.keeps_columns,
        "columns": list(source.layout.names),
        "n_bytes": look.n_bytes,
    }


def load_work(job_id: UUID) -> Work:
    """What a job's file is and how far it is."""
    row = JobFile.objects.get(pk=job_id)
    folder, shape = storage.folder_of(get_root(), job_id), shape_of(row)
    source = Source(folder.input, shape.format, row.is_gzip, shape.layout)
    place = Place(row.input_offset, row.input_line)
    progress = Progress(place, segments_of(row), row.n_bytes_read)
    pending = tuple(TrueLabel(UUID(id), label) for id, label in row.pending_labels)
    return Work(folder, source, shape, progress, pending)


def segments_of(row: JobFile) -> tuple[Segment, ...]:
    return tuple(Segment(*segment) for segment in row.segments)


def shape_of(row: JobFile) -> Shape:
    layout = Layout(row.text_column, row.label_column, tuple(row.columns))
    return Shape(Format(row.format), row.is_gzip, layout, row.task, row.keeps_columns)


def keep_chunk(
    claim: Claim,
    progress: Progress,
    *,
    n_done: int,
    n_failed: int,
    labels: Sequence[TrueLabel],
    worked_s: float,
    now: datetime,
) -> bool:
    """Let what was written of a chunk count, and prolong the lease; False when another process has
    taken the job over: what was written never counts then.

    Labels of the chunk before must have been given: these take their place.
    """
    with transaction.atomic():
        until = now + timedelta(seconds=LEASE_S)
        moved = held(claim).update(
            n_done=F("n_done") + n_done,
            n_failed=F("n_failed") + n_failed,
            n_attempts=0,
            leased_until=until,
        )
        if not moved:
            return False
        JobFile.objects.filter(pk=claim.id).update(
            input_offset=progress.place.offset,
            input_line=progress.place.line,
            segments=[astuple(segment) for segment in progress.segments],
            n_bytes_read=progress.n_bytes_read,
            pending_labels=_as_json(labels),
            worked_s=F("worked_s") + worked_s,
        )
    return True


def _as_json(labels: Sequence[TrueLabel]) -> list[list[str]]:
    return [[str(each.prediction_id), each.label] for each in labels]


def labels_given(job_id: UUID, labels: Sequence[TrueLabel], *, n_refused: int) -> None:
    """Of the labels that waited `n_refused` were not taken, the others were.

    Nothing happens where others wait by now: another process has given these, too.
    """
    JobFile.objects.filter(pk=job_id, pending_labels=_as_json(labels)).update(
        n_labels=F("n_labels") + len(labels) - n_refused,
        n_labels_refused=F("n_labels_refused") + n_refused,
        pending_labels=[],
    )


def complete(claim: Claim, *, now: datetime) -> None:
    """Every row has its answer or its error: the number of rows is known now."""
    held(claim).update(
        state=JobState.COMPLETED,
        n_inputs=F("n_done") + F("n_failed"),
        finished_at=now,
        leased_until=None,
        asked="",
    )
