"""`manage.py forget SUBJECT`: delete everything that is kept about somebody."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.errors import BellwetherError
from monitoring.forgetting import forget
from registry.management.base import get_actor


class Command(BaseCommand):
    help = "Deletes the predictions, texts, embeddings and labels kept about a subject."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subject", help="as callers send it beside their texts")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            gone = forget(options["subject"], actor=get_actor())
        except BellwetherError as error:
            raise CommandError(error.message) from error
        self.stdout.write(
            f"{gone.n_predictions} predictions and {gone.n_exemplars} exemplars are forgotten"
        )
