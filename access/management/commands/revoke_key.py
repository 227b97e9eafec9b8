"""`manage.py revoke_key PREFIX`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.errors import AccessError
from access.services import revoke_key


class Command(BaseCommand):
    help = "Revoke an API key for ever; running servers refuse it within 2 seconds."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="The part of the key before the dot; see `keys`.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = revoke_key(options["prefix"].partition(".")[0])
        except AccessError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Revoked {key}.")
