"""The canonical manifest: which files a version consists of, byte for byte.

A manifest is the JSON array `[{"path", "sha256", "size"}, ...]`, sorted by the path's UTF-8 bytes,
in the canonical form of RFC 8785 (sorted keys, no white space, UTF-8). The version's digest is the
sha256 of those bytes, so `sha256sum` alone can audit it.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from registry.errors import InvalidManifest
from registry.names import check_paths

# 2^53 - 1: larger sizes would lose digits in JavaScript clients.
MAX_SIZE = 9_007_199_254_740_991

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file of a version: its path inside the version, size in bytes, sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Files sorted by path; make one with `build_manifest` or `parse_manifest`, which check it."""

    files: tuple[ManifestFile, ...]

    @cached_property
    def text(self) -> str:
        """The canonical JSON text."""
        rows = [{"path": f.path, "sha256": f.sha256, "size": f.size} for f in self.files]
        return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @cached_property
    def digest(self) -> str:
        """The sha256 (hex) of the canonical JSON as UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def n_bytes(self) -> int:
        """The sum of the files' sizes."""
        return sum(file.size for file in self.files)


def build_manifest(files: Iterable[ManifestFile]) -> Manifest:
    """Sort and check `files`; raises InvalidManifest or InvalidPath."""
    checked = [_check_file(file) for file in files]
    if not checked:
        raise InvalidManifest("a version needs at least one file")
    check_paths(file.path for file in checked)
    return Manifest(tuple(sorted(checked, key=lambda file: file.path.encode())))


def parse_manifest(text: str, *, digest: str | None = None) -> Manifest:
    """Read a canonical manifest, and check that it is the one that `digest` names.

    Raises InvalidManifest when the text is not JSON of this shape, not canonical, or when its
    sha256 differs from `digest`.
    """
    manifest = build_manifest(map(_parse_file, _parse_rows(text)))
    if manifest.text != text:
        raise InvalidManifest("the manifest is not in canonical form")
    if digest is not None and manifest.digest != digest:
        raise InvalidManifest(
            "the manifest is not the one that the digest names",
            details={"expected": digest, "found": manifest.digest},
        )
    return manifest


def _parse_rows(text: str) -> list[Any]:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"the manifest is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise InvalidManifest("the manifest must be a JSON array")
    return rows


def _parse_file(row: Any) -> ManifestFile:
    if not isinstance(row, dict) or row.keys() != {"path", "size", "sha256"}:
        raise InvalidManifest("every manifest entry must have exactly path, size and sha256")
    return ManifestFile(row["path"], row["size"], row["sha256"])


def _check_file(file: ManifestFile) -> ManifestFile:
    if not isinstance(file.path, str):
        raise InvalidManifest("a manifest entry's path must be text")
    if type(file.size) is not int or not 0 <= file.size <= MAX_SIZE:
        raise InvalidManifest(f"the size of {file.path!r} must be a whole number of bytes")
    if not isinstance(file.sha256, str) or not _SHA256.fullmatch(file.sha256):
        raise InvalidManifest(f"the sha256 of {file.path!r} must be 64 lower-case hex digits")
    return file
