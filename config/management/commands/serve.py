"""`manage.py serve`: from an empty folder to an answering server, in one command."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.errors import BellwetherError
from config import startup
from config.server import run


class Command(BaseCommand):
    help = "Sets up what is missing (database, first key, starter model), then serves."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-worker", action="store_true", help="Do not start a worker beside the server."
        )
        parser.add_argument(
            "--no-starter", action="store_true", help="Do not register the starter model."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            first_run = startup.prepare(self.stdout.write, with_starter=not options["no_starter"])
        except BellwetherError as error:
            raise CommandError(error.message) from error
        run(self.stdout.write, first_run=first_run, with_worker=not options["no_worker"])
