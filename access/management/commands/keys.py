"""`manage.py keys`: what keys there are, newest first."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from access.models import ApiKey

HEADINGS = ("PREFIX", "NAME", "SCOPES", "RATE", "OWNER", "CREATED", "EXPIRES", "STATE")


class Command(BaseCommand):
    help = "List the API keys, newest first."

    def handle(self, *args: Any, **options: Any) -> None:
        keys = ApiKey.objects.select_related("owner").order_by("-created", "id")
        rows = [HEADINGS, *(_row(key) for key in keys)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write("  ".join(cells).rstrip())


def _row(key: ApiKey) -> tuple[str, ...]:
    return (
        key.prefix,
        key.name,
        ",".join(key.scopes),
        key.rate or "default",
        key.owner.get_username() if key.owner else "-",
        f"{key.created:%Y-%m-%d %H:%M}",
        f"{key.expiry_date:%Y-%m-%d %H:%M}" if key.expiry_date else "never",
        key.state(timezone.now()),
    )
