"""`manage.py backup [TARGET]`: write a snapshot of the whole registry."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.services import backups


class Command(RegistryCommand):
    help = "Back up models, versions, history and routes; only what the target lacks is sent."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "target",
            nargs="?",
            help="Name from BELLWETHER_BACKUPS (default: the first), a folder, or an fsspec URL.",
        )
        parser.add_argument(
            "--tag", action="append", default=[], help="A word kept with the snapshot; repeatable."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        target = backups.find_location(options["target"] or _first())
        with show_progress("backing up") as progress:
            done = backups.back_up(
                target, actor=get_actor(), tags=options["tag"], progress=progress
            )
        self.stdout.write(
            f"{done['snapshot']} at {done['target']}: {done['n_blobs']} files of "
            f"{done['n_bytes'] / 1e6:.1f} MB, {done['n_new_blobs']} of them new "
            f"({done['n_new_bytes'] / 1e6:.1f} MB)"
        )


def _first() -> str:
    names = backups.target_names()
    if not names:
        raise CommandError("name a target, or configure one in BELLWETHER_BACKUPS")
    return names[0]
