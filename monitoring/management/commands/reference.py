"""`manage.py reference ns/name`: what a version's traffic is compared with."""

import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from access.errors import BellwetherError
from monitoring.models import Reference, ReferenceOrigin, ReferenceState
from monitoring.references import services
from monitoring.references.queries import find, list_references
from monitoring.references.readers import Columns, read_rows, shape_of
from monitoring.references.upkeep import advance_one, is_due
from registry.management.base import get_actor

POLL_S = 0.5
SHOWN = 50
# Without any progress; texts only need a server, predictions need callers.
LONGEST_STILL_S = {False: 120, True: 86_400}
_ENDED = (ReferenceState.READY, ReferenceState.FAILED, ReferenceState.CANCELLED)


class Command(BaseCommand):
    help = "Makes, lists or activates references: what a version's traffic is compared with."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument(
            "file", nargs="?", help="texts as .jsonl, .csv or .txt, perhaps with .gz after"
        )
        acts = parser.add_mutually_exclusive_group()
        acts.add_argument(
            "--shipped", action="store_true", help="take the statistics among the version's files"
        )
        acts.add_argument(
            "--accepted", type=int, metavar="N", help="take the next N predictions as normal"
        )
        acts.add_argument("--list", action="store_true", help="list the model's references")
        acts.add_argument(
            "--activate", type=int, metavar="ID", help="let a ready one be the active"
        )
        acts.add_argument("--cancel", type=int, metavar="ID", help="stop one in the making")
        parser.add_argument(
            "--version-number", "-n", dest="version", type=int, help="else the live version"
        )
        parser.add_argument("--text-column", default="text", help="the texts' field; text")
        parser.add_argument("--label-column", default="label", help="the labels' field; label")
        parser.add_argument("--note", default="", help="a sentence kept with it and in the log")
        parser.add_argument("--wait", action="store_true", help="wait until it is ready")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._act(options)
        except BellwetherError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error

    def _act(self, options: dict[str, Any]) -> None:
        model, now = options["model"], timezone.now()
        if options["list"]:
            self._list(model, options["version"])
        elif options["activate"] is not None:
            row = services.activate(
                model, options["activate"], actor=get_actor(), reason=options["note"], now=now
            )
            self.stdout.write(_sentence(row))
        elif options["cancel"] is not None:
            self.stdout.write(_sentence(services.cancel(model, options["cancel"])))
        else:
            self._make(_ask(options, now), waits=options["wait"])

    def _list(self, model: str, version: int | None) -> None:
        rows = list(list_references(model, version)[:SHOWN])
        for row in rows:
            self.stdout.write(_sentence(row))
        if not rows:
            self.stdout.write(f"{model} has no references yet")

    def _make(self, row: Reference, *, waits: bool) -> None:
        if row.origin == ReferenceOrigin.SHIPPED:
            advance_one(row, now=timezone.now())
        elif waits:
            _wait(row, time.sleep)
        row = find(row.model, row.pk)
        self.stdout.write(_sentence(row))
        if row.state in (ReferenceState.FAILED, ReferenceState.CANCELLED):
            raise CommandError(row.error_message or "it was cancelled")


def _ask(options: dict[str, Any], now: datetime) -> Reference:
    model, version = options["model"], options["version"]
    asked: dict[str, Any] = {"actor": get_actor(), "note": options["note"], "now": now}
    if options["shipped"]:
        return services.ask_with_shipped(model, version, **asked)
    if options["accepted"] is not None:
        return services.ask_with_accepted(model, version, options["accepted"], **asked)
    if options["file"] is None:
        raise CommandError("Name a file of texts, or use --shipped, --accepted N or --list.")
    columns = Columns(options["text_column"], options["label_column"])
    with Path(options["file"]).open("rb") as stream:
        rows = read_rows(stream, shape_of(options["file"]), columns)
    return services.ask_with_texts(model, version, rows, **asked)


def _wait(
    row: Reference,
    sleep: Callable[[float], None],
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Until it has ended, whoever works on it; what is complete is made here.

    Raises CommandError when nothing has moved for long.
    """
    longest_s = LONGEST_STILL_S[row.origin == ReferenceOrigin.ACCEPTED]
    n_done, moved_at = -1, clock()
    with tqdm(
        desc="answering", total=row.n_wanted, leave=False, disable=not sys.stderr.isatty()
    ) as bar:
        while row.state not in _ENDED:
            if row.n_done != n_done:
                n_done, moved_at = row.n_done, clock()
            elif clock() - moved_at > longest_s:
                raise CommandError(
                    f"Reference {row.pk} has not moved for {longest_s} s; it still waits. "
                    "Is `manage.py serve` running?"
                )
            sleep(POLL_S)
            row = find(row.model, row.pk)
            bar.update(row.n_done - bar.n)
            if is_due(row):
                advance_one(row, now=timezone.now())
                row = find(row.model, row.pk)


def _sentence(row: Reference) -> str:
    mark = "*" if row.is_active else " "
    text = f"{mark} {row.pk}  version {row.version}  {row.origin}  {row.state}"
    if row.state == ReferenceState.READY:
        f1 = row.summary.get("macro_f1")
        text += f"  {row.n} items, {row.n_labelled} labelled"
        return text + (f", macro F1 {f1:.4f}" if f1 is not None else "")
    if row.state == ReferenceState.FAILED:
        return f"{text}  {row.error_message}"
    return f"{text}  {row.n_done} of {row.n_wanted}"
