"""`manage.py versions ns/name`: what a model has."""

import json
from argparse import ArgumentParser
from typing import Any

from registry.management.base import RegistryCommand
from registry.models import Version
from registry.queries import find_model, load_live_version

COLUMNS = ("version", "live", "state", "task", "bytes", "created", "digest", "note")


class Command(RegistryCommand):
    help = "List a model's versions, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--json", action="store_true", help="One JSON array, for programs.")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = _load_rows(options["name"])
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        short = [row | {"digest": row["digest"][:12]} for row in rows]
        cells = [COLUMNS, *(tuple(map(_cell, row.values())) for row in short)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for line in cells:
            padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self.stdout.write("  ".join(padded).rstrip())


def _load_rows(name: str) -> list[dict[str, Any]]:
    live = load_live_version(name)
    number = live.number if live else None
    versions = Version.objects.filter(model=find_model(name)).defer("manifest").order_by("-number")
    return [dict(zip(COLUMNS, _values(row, number), strict=True)) for row in versions]


def _values(row: Version, live: int | None) -> tuple[Any, ...]:
    created = row.created_at.isoformat(timespec="seconds")
    is_live = row.number == live
    return row.number, is_live, row.state, row.task, row.n_bytes, created, row.digest, row.note


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "live" if value else ""
    return str(value)[:40]
