"""`manage.py recount ns/name`: do the roll-ups still say what the rows say?"""

from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.counters import Amounts
from monitoring.recounts import Difference, recount, repair

_SHOWN = 20


class Command(BaseCommand):
    help = "Compares a day's roll-ups of a model with its rows; fails if they differ."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument("--day", help="UTC day as 2026-11-21; yesterday by default")
        parser.add_argument("--repair", action="store_true", help="make the roll-ups right")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            yesterday = now.date() - timedelta(days=1)
            day = date.fromisoformat(options["day"]) if options["day"] else yesterday
            result = recount(options["model"], day, now=now)
        except ValueError as error:
            raise CommandError("--day must be a day as 2026-11-21.") from error
        except BellwetherError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{day}: {result.n_predictions} predictions, {result.n_labelled} labelled, "
            f"{len(result.differences)} counters differ"
        )
        if not result.has_arrivals:
            self.stdout.write("arrival times were left out: old predictions may be pruned")
        for difference in result.differences[:_SHOWN]:
            self.stdout.write(f"  {_shown(difference)}")
        if result.differences and not options["repair"]:
            raise CommandError("The roll-ups differ from the rows; --repair makes them right.")
        if result.differences:
            repair(result)
            self.stdout.write("repaired")


def _shown(difference: Difference) -> str:
    key = " ".join(map(str, difference.key))
    table = difference.table.__name__
    return (
        f"{table} {key}: counted {_numbers(difference.counted)}, "
        f"rows say {_numbers(difference.true)}"
    )


def _numbers(amounts: Amounts) -> str:
    return " / ".join(map(str, amounts))
