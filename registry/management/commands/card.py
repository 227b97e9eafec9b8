"""`manage.py card ns/name N`: a version's model card."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry.contents import load_card
from registry.management.base import RegistryCommand


class Command(RegistryCommand):
    help = "Print a version's model card with what the registry knows, or only check it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("number", type=int, help="Number of the version.")
        parser.add_argument(
            "--lint", action="store_true", help="Only check it; exit status 1 when it has errors."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        card = load_card(options["name"], options["number"])
        if not options["lint"]:
            self.stdout.write(card.as_readme())
            return
        for error in card.lint.errors:
            self.stdout.write(f"error: {error}")
        for warning in card.lint.warnings:
            self.stdout.write(f"warning: {warning}")
        if card.lint.errors:
            raise CommandError(f"{len(card.lint.errors)} errors: mend README.md, push it again")
