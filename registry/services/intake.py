"""Taking in single files: staged bytes become a blob that a later commit may name.

Row and lease come before the file: the sweeper deletes a row, and unlinks its file, under the row's
lock, so whoever holds a lease finds the file there or puts it there (`keep_file` links after it).
"""

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from registry import durable
from registry.errors import BlobDamaged
from registry.location import open_store
from registry.manifests import ManifestFile
from registry.models import Blob, Lease, RegisteredModel
from registry.services.common import check_actor

LEASE_FOR = timedelta(hours=24)


def keep_file(
    model: RegisteredModel, staged: Path, *, sha256: str, size: int, actor: str
) -> ManifestFile:
    """Make a staged file, whose sha256 and size were just computed, a blob leased by `model`.

    `staged` lies on the store's file system and stays there. Returns an entry without a path.
    Raises BlobDamaged when other bytes are stored under that name.
    """
    lease_blobs({sha256: size}, actor=actor, model=model)
    os.chmod(staged, durable.FILE_MODE)
    durable.sync_file(staged)
    blob = open_store().blob(sha256)
    durable.make_folder(blob.parent)
    try:
        durable.link_or_copy(staged, blob)
    except FileExistsError:
        if durable.regular_size(blob) != size:
            raise BlobDamaged(
                "a stored file is damaged: verify the registry, then upload again",
                details={"sha256": sha256},
            ) from None
    durable.sync_folder(blob.parent)
    return ManifestFile("", size, sha256)


@transaction.atomic
def lease_blobs(sizes: dict[str, int], *, actor: str, model: RegisteredModel | None = None) -> None:
    """Have rows for these blobs (bytes by sha256) that no sweep may take before LEASE_FOR."""
    owner = check_actor(actor)
    # In the order of their keys: two that share blobs cannot block each other.
    names = sorted(sizes)
    # Without the key: commits may refer to these rows meanwhile, only a sweep has to wait.
    locked = Blob.objects.select_for_update(no_key=True).filter(pk__in=names).order_by("pk")
    while len(locked.all()) < len(names):
        # Again, too, when a sweep deleted a row while its lock was waited for.
        Blob.objects.bulk_create(
            [Blob(sha256=name, size=sizes[name]) for name in names], ignore_conflicts=True
        )
    Blob.objects.filter(pk__in=names, condemned_at__isnull=False).update(condemned_at=None)
    expires_at = timezone.now() + LEASE_FOR
    Lease.objects.bulk_create(
        [Lease(blob_id=name, model=model, owner=owner, expires_at=expires_at) for name in names]
    )


def release_blobs(names: Iterable[str], *, actor: str, model: RegisteredModel | None) -> None:
    """Give up the leases that `lease_blobs` took for the same `actor` and `model`."""
    Lease.objects.filter(blob_id__in=list(names), owner=check_actor(actor), model=model).delete()


def readable_blobs(model: RegisteredModel, names: Iterable[str]) -> dict[str, int]:
    """Bytes by sha256 of those of `names` that `model` may refer to.

    These are what it leased and what its commits and versions hold: that somebody else stored the
    same bytes is nobody's business.
    """
    wanted = list(names)
    now = timezone.now()
    leased = Blob.objects.filter(leases__model=model, leases__expires_at__gt=now, pk__in=wanted)
    committed = Blob.objects.filter(commits__model=model, pk__in=wanted)
    sealed = Blob.objects.filter(versions__model=model, pk__in=wanted)
    sizes = {
        sha256: size
        for rows in (leased, committed, sealed)
        for sha256, size in rows.values_list("sha256", "size").distinct()
    }
    store = open_store()
    return {
        sha256: size
        for sha256, size in sizes.items()
        if durable.regular_size(store.blob(sha256)) == size
    }
