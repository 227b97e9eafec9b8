"""The registry's rows as lines of JSON, and back again: no database dump is needed.

Rows refer to each other by name (`namespace/name`, commit id, version number), so they mean the
same in another database. Columns are listed by Django, so a new one is in the next backup.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import connection, models, transaction
from django.db.models import Exists, OuterRef, QuerySet

from registry.backups.picking import HAS_FILES
from registry.backups.snapshots import Piece, canonical
from registry.models import (
    Blob,
    Commit,
    CommitBlob,
    Event,
    Golden,
    Ref,
    RegisteredModel,
    RegistryState,
    Route,
    Signature,
    TrustedKey,
    Version,
    VersionBlob,
)

# Appended rows leave the pieces before theirs as they were, so those are not sent again.
ROWS_A_PIECE = 1_000

ROWS: Mapping[str, type[models.Model]] = {
    "state": RegistryState,
    "blobs": Blob,
    "models": RegisteredModel,
    "commits": Commit,
    "versions": Version,
    "refs": Ref,
    "routes": Route,
    "golden": Golden,
    "signatures": Signature,
    "trusted_keys": TrustedKey,
    "events": Event,
}
_RELATED = {
    "versions": ("model", "commit__model"),
    "refs": ("model", "commit__model"),
    "routes": ("model", "version__model"),
    "golden": ("version__model",),
    "signatures": ("version__model",),
    "trusted_keys": ("model",),
    "commits": ("model",),
    "events": ("model",),
}


@dataclass(frozen=True, slots=True)
class Dump:
    """Rows of one moment: pieces by table, each in the file `<sha256>.jsonl` of `folder`.

    `blobs` are bytes by sha256 of what the rows need.
    """

    folder: Path
    tables: Mapping[str, tuple[Piece, ...]]
    blobs: Mapping[str, int]


def dump_rows(folder: Path) -> Dump:
    """Write every row that a backup holds into `folder`, all as of one moment."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        tables = {table: tuple(_pieces(table, folder)) for table in ROWS}
        blobs = dict(needed_blobs().values_list("sha256", "size"))
    return Dump(folder, tables, blobs)


def needed_blobs() -> QuerySet[Blob]:
    """Blobs that a commit or a version holds."""
    by_commit = CommitBlob.objects.filter(blob=OuterRef("pk"))
    by_version = VersionBlob.objects.filter(blob=OuterRef("pk"))
    return Blob.objects.filter(Exists(by_commit) | Exists(by_version))


def plain_row(table: str, row: models.Model) -> dict[str, Any]:
    """A row as plain JSON values, what it refers to by name."""
    values = {}
    for field in row._meta.concrete_fields:
        if field.is_relation:
            values[field.name] = _name_of(getattr(row, field.name))
        elif not (field.primary_key and field.get_internal_type() == "BigAutoField") or (
            table == "events"
        ):
            values[field.name] = _plain(getattr(row, field.attname))
    if isinstance(row, Version):
        values[HAS_FILES] = bool(getattr(row, HAS_FILES, True))
    return values


def make_row(table: str, values: Mapping[str, Any], related: Mapping[str, Any]) -> Any:
    """An unsaved row from what `plain_row` gave; `related` has what it refers to, by field."""
    row = ROWS[table]
    found: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        if field.is_relation and field.name in related:
            found[field.attname] = related[field.name]
        elif not field.is_relation and field.name in values:
            found[field.attname] = field.to_python(values[field.name])
    return row(**found)


def _pieces(table: str, folder: Path) -> Iterator[Piece]:
    rows = _rows(table).iterator(chunk_size=ROWS_A_PIECE)
    while batch := list(islice(rows, ROWS_A_PIECE)):
        yield _write_piece(folder, (plain_row(table, row) for row in batch), len(batch))


def _rows(table: str) -> QuerySet[Any]:
    if table == "blobs":
        return needed_blobs().order_by("created_at", "pk")
    manager = ROWS[table]._default_manager
    rows: QuerySet[Any] = manager.order_by("pk").select_related(*_RELATED.get(table, ()))
    if table == "versions":
        held = VersionBlob.objects.filter(version=OuterRef("pk"))
        rows = rows.annotate(**{HAS_FILES: Exists(held)})
    return rows


def _write_piece(folder: Path, rows: Iterable[dict[str, Any]], n_rows: int) -> Piece:
    content = b"".join(canonical(row) + b"\n" for row in rows)
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / f"{sha256}.jsonl").write_bytes(content)
    return Piece(sha256, len(content), n_rows)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _name_of(row: Any) -> Any:
    return None if row is None else _NAMES[type(row)](row)


_NAMES: Mapping[type[models.Model], Callable[[Any], Any]] = {
    RegisteredModel: str,
    Commit: lambda row: [str(row.model), row.oid],
    Version: lambda row: [str(row.model), row.number],
    Blob: lambda row: row.sha256,
}
