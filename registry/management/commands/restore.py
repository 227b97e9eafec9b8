"""`manage.py restore TARGET [SNAPSHOT]`: bring the registry, or what is missing of it, back."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.services import backups, restoring


class Command(RegistryCommand):
    help = "Restore a snapshot into an empty registry, or only what is missing, or one version."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "target", help="Name from BELLWETHER_BACKUPS, a folder, or an fsspec URL."
        )
        parser.add_argument("snapshot", nargs="?", help="Its name; without one, the newest.")
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument(
            "--into-empty",
            action="store_true",
            help="Everything, into an empty registry (default).",
        )
        mode.add_argument(
            "--missing", action="store_true", help="Only models and versions that are not here."
        )
        mode.add_argument("--model", help="Only one version of this model; with --version.")
        parser.add_argument("--number", type=int, help="Which version, with --model.")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["model"]) != bool(options["number"]):
            raise CommandError("--model and --number go together")
        version = (options["model"], options["number"]) if options["model"] else None
        with show_progress("restoring") as progress:
            done = restoring.restore(
                backups.find_location(options["target"]),
                options["snapshot"],
                actor=get_actor(),
                only_missing=options["missing"],
                version=version,
                progress=progress,
            )
        self.stdout.write(
            f"restored {done['n_models']} models and {done['n_versions']} versions of "
            f"{done['snapshot']}; {done['n_fetched']} files fetched"
        )
