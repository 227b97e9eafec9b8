"""Events of any time and kind, for tests of what reads them."""

from typing import Any

from registry.models import Event


def append_event(**fields: Any) -> None:
    """Add one with the next number, which is counted by hand as the service counts it."""
    last = Event.objects.order_by("-id").first()
    Event.objects.bulk_create([Event(id=last.pk + 1 if last else 1, **fields)])
