"""`manage.py promote ns/name N`: let a version answer."""

from argparse import ArgumentParser
from typing import Any

from registry import services
from registry.management.base import RegistryCommand, get_actor


class Command(RegistryCommand):
    help = "Let a version answer all of its model's requests."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("number", type=int, help="Number of the version.")
        parser.add_argument("--reason", default="", help="A sentence kept with the event.")

    def handle(self, *args: Any, **options: Any) -> None:
        version = services.promote(
            options["name"], options["number"], actor=get_actor(), reason=options["reason"]
        )
        self.stdout.write(f"{version.model} version {version.number} is live")
