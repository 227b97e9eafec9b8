"""`manage.py work`: background tasks, and the schedule that enqueues them."""

from typing import Any

from django.core.management.base import BaseCommand

from config.worker import run


class Command(BaseCommand):
    help = "Runs background tasks (verify, prune) and enqueues the daily ones."

    def handle(self, *args: Any, **options: Any) -> None:
        run()
