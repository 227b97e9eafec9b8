"""`manage.py ask ns/name`: which predictions a label is asked for, and how many an hour."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.labelling.plans import change_plan, load_plan
from monitoring.labelling.queue import DEFAULT_LIMIT, Asked, load_queue

_SHOWN_CHARS = 100


class Command(BaseCommand):
    help = (
        "Lists predictions that a label is asked for; label them by `feedback ID LABEL "
        "--source audit`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument("--per-hour", type=int, help="ask for so many an hour from now on")
        parser.add_argument(
            "--uncertain-share", type=float, help="part of them that prefers uncertain answers"
        )
        parser.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help="how many to list")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("per_hour", "uncertain_share")
        changes = {name: options[name] for name in names if options[name] is not None}
        try:
            queue = load_queue(options["model"], now=timezone.now(), limit=max(0, options["limit"]))
            plan = change_plan(queue.model, changes) if changes else load_plan(queue.model)
        except BellwetherError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{queue.model}: {plan.per_hour} an hour"
            f"{' (the default)' if plan.is_default else ''}, {queue.n_open} open"
        )
        for item in queue.items:
            self.stdout.write(_shown(item))


def _shown(item: Asked) -> str:
    text = "(not stored)" if item.text is None else " ".join(item.text.split())
    short = text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
    return f"{item.prediction_id}  {item.label} {item.score:.2f}  {short}"
