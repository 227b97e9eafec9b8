"""Who may do what only one process may do: one row, moved by conditional updates."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q

from monitoring.models import Lease

SCHEDULER = "scheduler"
LENGTH = timedelta(seconds=30)


def hold(name: str, owner: str, now: datetime, *, length: timedelta = LENGTH) -> bool:
    """Take or renew the lease `name` for `owner`; False while somebody else has it.

    It ends by itself `length` after the last call, and then whoever comes first takes it over.
    Clocks of machines that share a database should agree to within a fraction of `length`.
    """
    mine_or_over = Q(owner=owner) | Q(until_at__lte=now)
    held = Lease.objects.filter(mine_or_over, name=name)
    if held.update(owner=owner, until_at=now + length):
        return True
    try:
        with transaction.atomic():
            Lease.objects.create(name=name, owner=owner, until_at=now + length)
    except IntegrityError:
        return False
    return True


def release(name: str, owner: str) -> None:
    """Give the lease up, so that another need not wait for its end."""
    Lease.objects.filter(name=name, owner=owner).delete()
