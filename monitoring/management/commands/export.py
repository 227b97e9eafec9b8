"""`manage.py export TABLE FILE`: predictions, feedback or evaluations as a file."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from access.errors import BellwetherError
from monitoring.exports.formats import Format, write
from monitoring.exports.rows import COLUMNS, Row, Selection, Table, count_rows, load_rows
from monitoring.windows import parse_window


class Command(BaseCommand):
    help = "Writes predictions, feedback or evaluations to a file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("table", choices=[*map(str, Table)])
        parser.add_argument("file", type=Path, help="its ending says the format, unless --format")
        parser.add_argument("--model", help="only this one (namespace/name)")
        parser.add_argument("--from", help="ISO 8601 time; 24 hours before the end by default")
        parser.add_argument("--to", help="ISO 8601 time; now by default")
        parser.add_argument("--format", choices=[*map(str, Format)])
        parser.add_argument("--force", action="store_true", help="replace a file that is there")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if path.exists() and not options["force"]:
            raise CommandError(f"{path} is there already: choose another name, or --force")
        try:
            window = parse_window(options["from"], options["to"], now=timezone.now())
            selection = Selection(Table(options["table"]), window, options["model"])
            format = _format_of(path, options["format"])
            n_rows = count_rows(selection)
            rows = _shown(load_rows(selection), n_rows)
            write(rows, COLUMNS[selection.table], format, path)
        except BellwetherError as error:
            raise CommandError(error.message) from error
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error}") from error
        self.stdout.write(f"{n_rows} rows of {selection.table} in {path}")


def _format_of(path: Path, asked: str | None) -> Format:
    ending = asked or path.suffix.removeprefix(".").lower()
    if ending not in set(Format):
        raise CommandError(f"{path} says no format: end it in .{', .'.join(Format)}, or --format")
    return Format(ending)


def _shown(rows: Iterable[Row], n_rows: int) -> Iterator[Row]:
    with tqdm(total=n_rows, unit="row", leave=False, disable=not sys.stderr.isatty()) as bar:
        for row in rows:
            bar.update()
            yield row
