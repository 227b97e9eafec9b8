"""`manage.py rollback ns/name`: return to the version that was live before."""

from argparse import ArgumentParser
from typing import Any

from registry import services
from registry.management.base import RegistryCommand, get_actor


class Command(RegistryCommand):
    help = "Return to the version that was live before; again goes one further back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--reason", default="", help="A sentence kept with the event.")

    def handle(self, *args: Any, **options: Any) -> None:
        version = services.rollback(options["name"], actor=get_actor(), reason=options["reason"])
        self.stdout.write(f"{version.model} version {version.number} is live")
