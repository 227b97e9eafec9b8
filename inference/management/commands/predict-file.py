"""`manage.py predict-file MODEL IN OUT`: a whole file, answered by a serving process."""

import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from access.errors import BellwetherError
from inference.jobs import files, services, storage
from inference.jobs.files import Order
from inference.jobs.listing import Download, JobView, errors_of, results_of, view_of
from inference.jobs.looking import Wanted
from inference.jobs.models import JobState
from inference.jobs.rows import Format
from registry.overview import load_replicas

KEY_ID = "command"
POLL_S = 0.5
LOOK_S = 5.0
SOME_FAILED, INTERRUPTED = 3, 130
_ENDINGS = {
    "csv": Format.CSV,
    "jsonl": Format.JSONL,
    "ndjson": Format.JSONL,
    "parquet": Format.PARQUET,
    "txt": Format.TEXT,
}
_NOBODY = (
    "No serving process runs on this database, and only one can work on the file: start it with "
    "`make serve` or `manage.py serve`"
)


class Command(BaseCommand):
    help = (
        "Predict every row of a file (CSV, JSON Lines, Parquet or plain text, perhaps gzip) "
        "through a serving process. Ends with 0, with 3 when rows have no answer, with 130 after "
        "Ctrl+C, which pauses the job."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="Name of the model: namespace/name.")
        parser.add_argument("input", type=Path, help="File of texts; its ending says its format.")
        parser.add_argument("output", type=Path, help="File of results, in the same format.")
        parser.add_argument("--format", choices=[*map(str, Format)], help="Instead of the ending.")
        parser.add_argument(
            "--text-column", default="", help="Where the texts are; text, or the only column."
        )
        parser.add_argument(
            "--label-column", default="", help="Where true labels are: they become feedback."
        )
        parser.add_argument(
            "--drop-columns",
            action="store_true",
            help="Leave the other columns out of the results.",
        )
        parser.add_argument("--errors", type=Path, help="File of rows without an answer.")
        parser.add_argument("--resume", type=UUID, help="Go on with this job, made from the input.")
        parser.add_argument("--force", action="store_true", help="Replace files that are there.")

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        errors: Path = options["errors"] or output.with_name(f"{output.name}.errors.jsonl")
        _check_targets(output, errors, force=options["force"])
        if not _is_anybody_there():
            raise CommandError(f"{_NOBODY}, then run this again.")
        try:
            job_id = options["resume"] or self._start(options)
            if options["resume"]:
                services.resume(services.find_job(job_id, key_id=None).pk)
            view = self._wait(job_id, options)
            self._finish(view, output, errors)
        except BellwetherError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{error.filename or output}: {error.strerror}") from error
        if view.n_failed:
            sys.exit(SOME_FAILED)

    def _start(self, options: dict[str, Any]) -> UUID:
        source: Path = options["input"]
        format = Format(options["format"]) if options["format"] else _format_of(source)
        wanted = Wanted(format, options["text_column"], options["label_column"])
        keeps = not options["drop_columns"]
        order = Order(options["model"], wanted, keeps, KEY_ID, f"predict-file-{os.getpid()}")
        files.require_task(order.model)
        incoming = storage.make_incoming(files.get_root())
        try:
            storage.check_room(incoming.parent, source.stat().st_size)
            with storage.full_disk_named():
                shutil.copyfile(source, incoming)
            return files.create(order, incoming, now=timezone.now())
        finally:
            incoming.unlink(missing_ok=True)

    def _wait(self, job_id: UUID, options: dict[str, Any]) -> JobView:
        """Show progress until the job is done; Ctrl+C pauses it."""
        again = _again(job_id, options)
        self.stderr.write(f"job {job_id}")
        try:
            with _shown() as show:
                view = _load(job_id)
                looked_at = time.monotonic()
                while view.state in (JobState.QUEUED, JobState.RUNNING):
                    show(view)
                    time.sleep(POLL_S)
                    if time.monotonic() - looked_at > LOOK_S:
                        looked_at = time.monotonic()
                        if not _is_anybody_there():
                            raise CommandError(f"{_NOBODY}. The job goes on then; look at: {again}")
                    view = _load(job_id)
                show(view)
        except KeyboardInterrupt:
            services.pause(job_id, now=timezone.now())
            self.stderr.write(f"Paused. Go on with: {again}")
            sys.exit(INTERRUPTED)
        if view.state != JobState.COMPLETED:
            reason = view.error_message or "somebody asked for that"
            way_on = "" if view.state == JobState.CANCELLED else f" Go on with: {again}"
            raise CommandError(f"The job is {view.state}: {reason}{way_on}")
        return view

    def _finish(self, view: JobView, output: Path, errors: Path) -> None:
        job = services.find_job(view.id, key_id=None)
        _write(results_of(job), output)
        told = f"{view.n_done:,} rows in {output}"
        if view.n_failed:
            _write(errors_of(job), errors)
            told += f", {view.n_failed:,} without an answer in {errors}"
        if view.n_labels or view.n_labels_refused:
            told += f"; {view.n_labels:,} labels given, {view.n_labels_refused:,} refused"
        self.stdout.write(told)


def _check_targets(output: Path, errors: Path, *, force: bool) -> None:
    for path in (output, errors):
        if path.exists() and not force:
            raise CommandError(f"{path} is there already: choose another name, or --force")
        if not path.absolute().parent.is_dir():
            raise CommandError(f"{path.absolute().parent} is no folder")


def _format_of(path: Path) -> Format:
    ending = Path(path.name.lower().removesuffix(".gz")).suffix.removeprefix(".")
    if ending not in _ENDINGS:
        known = ", .".join(_ENDINGS)
        raise CommandError(f"{path} says no format: end it in .{known}, or --format")
    return _ENDINGS[ending]


def _is_anybody_there() -> bool:
    return any(replica.is_alive for replica in load_replicas())


def _load(job_id: UUID) -> JobView:
    return view_of(services.find_job(job_id, key_id=None), now=timezone.now())


def _again(job_id: UUID, options: dict[str, Any]) -> str:
    words = [options["model"], str(options["input"]), str(options["output"])]
    return f"manage.py predict-file {shlex.join(words)} --resume {job_id}"


@contextmanager
def _shown() -> Iterator[Any]:
    """A bar on a terminal; elsewhere a line each time that the row has moved by a twentieth."""
    console = Console(stderr=True)
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("waiting", total=1.0)
            yield lambda view: progress.update(
                task, completed=view.share or 0.0, description=_told(view)
            )
        return
    last = -1

    def write(view: JobView) -> None:
        nonlocal last
        step = int(20 * (view.share or 0.0))
        if step != last:
            last = step
            console.print(f"{5 * step} %  {_told(view)}", highlight=False)

    yield write


def _told(view: JobView) -> str:
    told = f"{view.state}, {view.n_done + view.n_failed:,} rows"
    if view.rate:
        told += f", {view.rate:,.1f} rows/s"
    if view.eta_s:
        told += f", {timedelta(seconds=round(view.eta_s))} left"
    return told


def _write(download: Download, target: Path) -> None:
    """Write a file, whole or not at all."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        with partial.open("wb") as file:
            file.writelines(download.pieces())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
