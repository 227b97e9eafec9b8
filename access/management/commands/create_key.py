"""`manage.py create_key NAME --scope predict`: prints the key, once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import AccessError
from access.scopes import Scope
from access.services import create_key

MAX_DAYS = 36_500


class Command(BaseCommand):
    help = (
        "Make an API key. The key goes to standard output, what is said about it to standard error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="What or who the key is for.")
        parser.add_argument(
            "--scope",
            action="append",
            required=True,
            choices=[str(scope) for scope in Scope],
            help="What the key may do; give it again for more.",
        )
        parser.add_argument(
            "--rate", default="", help="Most requests, such as 600/minute; default: the server's."
        )
        parser.add_argument(
            "--expires-days", type=int, help="Days that the key works; default: for ever."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["expires_days"]
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise CommandError(f"--expires-days: expected 1 to {MAX_DAYS}")
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        try:
            key, plaintext = create_key(
                options["name"], options["scope"], rate=options["rate"], expires_at=expires_at
            )
        except AccessError as error:
            raise CommandError(error.message) from error
        self.stderr.write(f"Made {key} for {', '.join(key.scopes)}. It is shown only now:")
        self.stdout.write(plaintext)
