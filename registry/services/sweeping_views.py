"""Removing views that no version needs: of versions whose files were swept, and of crashed work."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from registry import durable
from registry.location import open_store
from registry.models import Blob, Lease, Version
from registry.steps import SweepStep, reach
from registry.store import Store


def remove_views(*, grace: timedelta, before_each: Callable[[], None]) -> int:
    """Remove views that no version with files has; returns how many.

    One without any version may belong to work that goes on, so it must be older than the grace.
    What is mapped from a view stays readable to who mapped it.
    """
    store, n_removed = open_store(), 0
    inodes = _inodes(store)
    for view in _candidates(store, grace):
        aside = _move_aside(store, view, inodes, before_each)
        if aside is not None:
            reach(SweepStep.VIEW_ASIDE)
            durable.remove_tree(aside)
            reach(SweepStep.VIEW_REMOVED)
            n_removed += 1
    return n_removed


def _candidates(store: Store, grace: timedelta) -> Iterator[Path]:
    if not store.views.is_dir():
        return
    known = set(Version.objects.values_list("digest", flat=True))
    oldest = time.time() - grace.total_seconds()
    # Half-built ones come and go, and are removed by recovery.
    views = [view for view in sorted(store.views.iterdir()) if ".tmp-" not in view.name]
    for view in views:
        is_due = view.name in known or view.stat().st_ctime <= oldest
        if is_due and not _is_held(view.name):
            yield view


def _is_held(digest: str) -> bool:
    return Version.objects.filter(digest=digest).exclude(versionblob=None).exists()


@transaction.atomic
def _move_aside(
    store: Store, view: Path, inodes: Mapping[int, str], before_each: Callable[[], None]
) -> Path | None:
    before_each()
    names = sorted(_names_in(view, inodes))
    # Who publishes these files leases them first: it waits for this lock, then builds anew.
    list(Blob.objects.select_for_update().filter(pk__in=names).order_by("pk"))
    leases = Lease.objects.filter(blob_id__in=names, expires_at__gt=timezone.now())
    if leases.exists() or _is_held(view.name):
        return None
    aside = store.views / f"{view.name}.tmp-{uuid4().hex}"
    os.chmod(view, durable.OPEN_MODE)
    os.rename(view, aside)
    durable.sync_folder(store.views)
    return aside


def _inodes(store: Store) -> dict[int, str]:
    return {path.stat().st_ino: path.name for path in store.blobs.glob("*/*/*") if path.is_file()}


def _names_in(view: Path, inodes: Mapping[int, str]) -> Iterator[str]:
    """The sha256 of every file in a view: that of the blob it is a link of, or of its bytes."""
    for path in view.rglob("*"):
        if durable.regular_size(path) is not None:
            yield inodes.get(path.stat().st_ino) or durable.hash_file(path, lambda _: None)
