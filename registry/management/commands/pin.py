"""`manage.py pin ns/name`: whether a model stays in memory, whoever else needs the room."""

from argparse import ArgumentParser
from typing import Any

from registry import services
from registry.management.base import RegistryCommand, get_actor


class Command(RegistryCommand):
    help = "Keep a model in memory, whoever else needs the room; --off ends that."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--off", action="store_true", help="Let it make room for others again.")
        parser.add_argument("--reason", default="", help="A sentence kept with the event.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, is_pinned = options["name"], not options["off"]
        services.set_pinned(name, is_pinned=is_pinned, actor=get_actor(), reason=options["reason"])
        self.stdout.write(
            f"{name} {'stays in memory' if is_pinned else 'may make room for others'}"
        )
