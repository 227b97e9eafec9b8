"""What a backup looks like at its target (pure).

    blobs/ab/<sha256>                    a stored file's bytes
    rows/<sha256>.jsonl                  rows of one table, one JSON object a line
    snapshots/<UTC>-<digest12>.json      what belongs together, written last
    locks/<work>-<uuid>.json             who is writing or pruning

Everything but a lock is named by the sha256 of its content, so nothing is ever rewritten, what is
there already is not sent again, and any altered byte shows. A snapshot is canonical JSON; its name
carries the time and the first 12 digits of its digest.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from registry.errors import BackupDamaged

FORMAT = 1
SNAPSHOTS, ROWS, BLOBS, LOCKS = "snapshots", "rows", "blobs", "locks"
MAX_SNAPSHOT_BYTES = 64 * 1024**2
MAX_PIECE_BYTES = 512 * 1024**2
MAX_TAGS = 20
DIGEST_CHARS = 12

# In the order in which they can be written back.
TABLES = (
    "state",
    "blobs",
    "models",
    "commits",
    "versions",
    "refs",
    "routes",
    "golden",
    "signatures",
    "trusted_keys",
    "events",
)

_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z)-([0-9a-f]{12})\.json")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9._-]{1,60}")


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of one table: a file of `n_rows` lines and `size` bytes."""

    sha256: str
    size: int
    n_rows: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was in the registry at `created_at`. `n_blobs` and `n_bytes` count its files."""

    created_at: datetime
    tags: tuple[str, ...]
    n_blobs: int
    n_bytes: int
    tables: Mapping[str, tuple[Piece, ...]]

    @property
    def content(self) -> bytes:
        """The snapshot's file."""
        return canonical(
            {
                "format": FORMAT,
                "created_at": stamp(self.created_at),
                "tags": sorted(self.tags),
                "n_blobs": self.n_blobs,
                "n_bytes": self.n_bytes,
                "tables": {
                    table: [[p.sha256, p.size, p.n_rows] for p in pieces]
                    for table, pieces in self.tables.items()
                },
            }
        )

    @property
    def name(self) -> str:
        """`<UTC>-<digest12>`, which names it everywhere."""
        digest = hashlib.sha256(self.content).hexdigest()[:DIGEST_CHARS]
        return f"{stamp(self.created_at)}-{digest}"

    @property
    def pieces(self) -> dict[str, int]:
        """Bytes of every piece by its path at the target."""
        return {row_path(p.sha256): p.size for table in self.tables.values() for p in table}


def canonical(value: Any) -> bytes:
    """`value` as JSON in one form only."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return text.encode()


def stamp(at: datetime) -> str:
    """A time in UTC as snapshots write it; it sorts as it runs.

    >>> stamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '20260102T030405.000000Z'
    """
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def parse_stamp(text: str) -> datetime:
    """The time that `stamp` wrote; raises ValueError."""
    return datetime.strptime(text, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)


def blob_path(sha256: str) -> str:
    return f"{BLOBS}/{sha256[:2]}/{sha256}"


def row_path(sha256: str) -> str:
    return f"{ROWS}/{sha256}.jsonl"


def snapshot_path(name: str) -> str:
    return f"{SNAPSHOTS}/{name}.json"


def name_of(path: str) -> str | None:
    """The snapshot's name when `path` is that of one, else None."""
    folder, _, file = path.rpartition("/")
    found = _NAME.fullmatch(file)
    return file.removesuffix(".json") if found and folder == SNAPSHOTS else None


def sha256_of(path: str) -> str | None:
    """The digest that a blob's or a piece's path names; None for any other path."""
    name = path.rpartition("/")[2].removesuffix(".jsonl")
    is_ours = _SHA256.fullmatch(name) and path in (blob_path(name), row_path(name))
    return name if is_ours else None


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def parse_snapshot(name: str, content: bytes) -> Snapshot:
    """Read a snapshot's file; raises BackupDamaged unless it is what its name promises."""
    digest = hashlib.sha256(content).hexdigest()
    if digest[:DIGEST_CHARS] != name.rpartition("-")[2]:
        raise damaged(snapshot_path(name), "its content is not the one that its name promises")
    try:
        values = json.loads(content)
        if values["format"] != FORMAT:
            raise damaged(
                snapshot_path(name), f"it has format {values['format']!r:.20}, known is {FORMAT}"
            )
        return Snapshot(
            created_at=parse_stamp(values["created_at"]),
            tags=tuple(values["tags"]),
            n_blobs=int(values["n_blobs"]),
            n_bytes=int(values["n_bytes"]),
            tables={
                table: tuple(_parse_piece(piece) for piece in pieces)
                for table, pieces in values["tables"].items()
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(snapshot_path(name), "it cannot be read as a snapshot") from error


def parse_rows(path: str, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """The rows of a piece, one by one; raises BackupDamaged."""
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError as error:
            raise damaged(path, "it holds a line that is not JSON") from error
        if not isinstance(row, dict):
            raise damaged(path, "it holds a line that is not an object")
        yield row


def damaged(path: str, problem: str) -> BackupDamaged:
    """The error for something at a target that is not as it was written."""
    return BackupDamaged(f"{path} of the backup is damaged: {problem}", details={"path": path})


def _parse_piece(values: Any) -> Piece:
    sha256, size, n_rows = values
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise ValueError("a piece needs a sha256")
    return Piece(sha256, int(size), int(n_rows))
