"""`manage.py reinstate ns/name N`: let a rejected version be routed again."""

from argparse import ArgumentParser
from typing import Any

from registry import services
from registry.management.base import RegistryCommand, get_actor


class Command(RegistryCommand):
    help = "Let a version that a rollout rejected be routed again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("number", type=int, help="Number of the version.")
        parser.add_argument("--reason", required=True, help="Why it may serve again.")

    def handle(self, *args: Any, **options: Any) -> None:
        version = services.reinstate(
            options["name"], options["number"], actor=get_actor(), reason=options["reason"]
        )
        self.stdout.write(f"{version.model} version {version.number} may be routed again")
