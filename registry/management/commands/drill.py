"""`manage.py drill TARGET`: prove that a backup can be served."""

from argparse import ArgumentParser
from typing import Any

from registry.management.base import RegistryCommand, get_actor
from registry.services import drilling


class Command(RegistryCommand):
    help = "Restore a snapshot into an empty temporary home, serve it, and ask its golden inputs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "target", help="Name from BELLWETHER_BACKUPS, a folder, or an fsspec URL."
        )
        parser.add_argument("snapshot", nargs="?", help="Its name; without one, the newest.")

    def handle(self, *args: Any, **options: Any) -> None:
        done = drilling.drill(
            options["target"], options["snapshot"], actor=get_actor(), say=self.stdout.write
        )
        self.stdout.write(
            f"{done['snapshot']} serves {len(done['models'])} models as before ({done['took_s']} s)"
        )
