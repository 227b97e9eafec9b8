"""Uploads that a Hub client may make: opened for one model, used once, soon forgotten."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from registry import durable
from registry.errors import UploadRefused
from registry.location import open_store
from registry.models import Upload
from registry.queries import find_model
from registry.services.common import check_actor
from registry.services.intake import keep_file

# Old uploads are cleared by new ones, a few at a time.
MAX_CLEARED = 100


@transaction.atomic
def open_uploads(
    name: str,
    sizes: Mapping[str, int],
    part_sizes: Mapping[str, int],
    *,
    actor: str,
    expires_at: datetime,
) -> dict[str, Upload]:
    """Allow one upload for each sha256 of `sizes` (bytes); returns them by sha256.

    `part_sizes` says for which of them bytes come in parts. Raises ModelNotFound.
    """
    model, actor = find_model(name), check_actor(actor)
    uploads = {
        sha256: Upload(
            model=model,
            sha256=sha256,
            size=size,
            part_size=part_sizes.get(sha256, 0),
            actor=actor,
            expires_at=expires_at,
        )
        for sha256, size in sizes.items()
    }
    Upload.objects.bulk_create(uploads.values())
    return uploads


def find_upload(upload_id: UUID) -> Upload:
    """An upload that may still receive bytes; raises UploadRefused."""
    upload = Upload.objects.select_related("model").filter(pk=upload_id).first()
    if upload is None or upload.expires_at <= timezone.now():
        raise UploadRefused("this upload has expired: ask for a new one")
    if upload.is_complete:
        raise UploadRefused("this upload is complete already, and its URLs work once")
    return upload


def finish_upload(upload: Upload, staged: Path) -> None:
    """Keep the bytes of `staged`, which were just found to be the announced ones, for the model.

    They are leased, so that a commit may name them. Raises BlobDamaged.
    """
    keep_file(upload.model, staged, sha256=upload.sha256, size=upload.size, actor=upload.actor)
    Upload.objects.filter(pk=upload.pk).update(is_complete=True)


def clear_uploads() -> None:
    """Forget some uploads that are too late, and the bytes that came for them."""
    late = Upload.objects.filter(expires_at__lte=timezone.now()).order_by("expires_at")
    ids = list(late.values_list("pk", flat=True)[:MAX_CLEARED])
    for upload_id in ids:
        durable.remove_tree(upload_folder(upload_id))
    Upload.objects.filter(pk__in=ids).delete()


def upload_folder(upload_id: UUID) -> Path:
    """Where the parts of an upload lie until it is complete.

    It has no owner, since any process may take the next part: left alone for an hour, it is swept
    with other abandoned stagings.
    """
    return open_store().stagings / f"upload-{upload_id.hex}"
