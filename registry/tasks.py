"""Background work of the registry."""

import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django_tasks import task

from access.errors import BellwetherError
from registry import services
from registry.services import (
    archives,
    audit,
    backups,
    endpoints,
    healing,
    importing,
    operations,
    requests,
    sweeping,
)
from registry.specs import OperationKind

log = logging.getLogger(__name__)

# Imported for what they register: the workers of their kinds.
WORKERS = (archives, endpoints, importing, requests)


@task()
def verify_all() -> dict[str, object]:
    """Verify every version that is not retired; says how many, and which are not sound.

    What is damaged is healed from the configured backups, if there are any.
    """
    n_verified, unsound = 0, []
    for result in services.verify_all(actor="daily verification"):
        n_verified += 1
        if not result.verification.is_sound:
            unsound.append(f"{result.version.model} version {result.version.number}")
    told: dict[str, object] = {"n_verified": n_verified, "unsound": unsound}
    targets = backups.open_targets()
    if unsound and targets:
        told["healed"] = list(healing.heal(targets, actor="daily verification").versions)
    return told


@task()
def check_audit() -> dict[str, object]:
    """Check the audit log and remember its head; a log that is not sound fails the task."""
    checkpoint = audit.write_checkpoint()
    return {"n_events": checkpoint.n_events, "head": checkpoint.hash}


@task()
def work_on(operation_id: str) -> None:
    """Work a queued operation; how it ended stands in its row."""
    try:
        operations.work(UUID(operation_id))
    except BellwetherError as error:
        log.info("operation %s ended: %s", operation_id, error.code)


def enqueue(
    kind: OperationKind, title: str, *, actor: str, parameters: Mapping[str, Any] | None = None
) -> UUID:
    """Start an operation that `manage.py work` works in the background; returns its id."""
    with transaction.atomic():
        operation_id = operations.start(kind, title, actor=actor, parameters=parameters)
        work_on.enqueue(str(operation_id))
    return operation_id


def retry(operation_id: UUID) -> None:
    """Have a failed operation worked again; raises OperationNotFound or OperationTaken."""
    with transaction.atomic():
        operations.requeue(operation_id)
        work_on.enqueue(str(operation_id))


@task()
def back_up_on_schedule() -> None:
    """Back up to the first configured target, and forget what the policy does not keep."""
    names = backups.target_names()
    if names:
        backups.request_backup(names[0], actor="schedule", keep=settings.BELLWETHER_BACKUP_KEEP)


@task()
def sweep_daily() -> None:
    """Condemn and sweep what nothing needs."""
    try:
        sweeping.sweep_inline(actor="daily sweep", grace=sweeping.GRACE, progress=None)
    except BellwetherError as error:
        log.warning("the daily sweep ended: %s", error.code)
