"""Stored files read whole: with a bound, and checked against their digests first."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from registry import durable
from registry.cards.lint import MAX_CARD_CHARS, README, lint_card
from registry.errors import BlobDamaged
from registry.location import open_store
from registry.manifests import Manifest, ManifestFile

MAX_CARD_BYTES = 4 * MAX_CARD_CHARS
# An event tells what to mend first, not everything.
MAX_FINDINGS = 10


def load_bytes(file: ManifestFile, *, limit: int) -> bytes | None:
    """A stored file's bytes, None where they are over `limit`; raises BlobDamaged."""
    if file.size > limit:
        return None
    path = open_store().blob(file.sha256)
    if durable.regular_size(path) != file.size:
        raise damaged(file)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise damaged(file)
    return data


def load_json(files: Mapping[str, ManifestFile], path: str, *, limit: int) -> Any:
    """The parsed JSON of a file; None where there is none, it is over `limit` or no JSON."""
    file = files.get(path)
    data = load_bytes(file, limit=limit) if file else None
    try:
        return None if data is None else json.loads(data)
    except (ValueError, RecursionError):
        return None


def card_findings(manifest: Manifest, task: str) -> dict[str, Any]:
    """What the check of a new version's card found, as an event keeps it; empty if nothing."""
    file = next((file for file in manifest.files if file.path == README), None)
    try:
        data = load_bytes(file, limit=MAX_CARD_BYTES) if file else None
    except BlobDamaged:
        data = None
    if data is None:
        return {}
    lint = lint_card(data.decode("utf-8", "replace"), task=task)
    found = {
        "errors": list(lint.errors[:MAX_FINDINGS]),
        "warnings": list(lint.warnings[:MAX_FINDINGS]),
    }
    return {"card": found} if lint.errors or lint.warnings else {}


def damaged(file: ManifestFile) -> BlobDamaged:
    """The error for stored bytes of `file` that are not what they were."""
    return BlobDamaged(
        f"the stored bytes of {file.path} are not what they were: verify the version, then "
        "restore it",
        details={"path": file.path},
    )
