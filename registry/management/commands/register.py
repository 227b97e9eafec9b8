"""`manage.py register DIR ns/name`: make a directory of files a version."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from registry import services
from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.sources.directory import DirectorySource
from registry.specs import Pooling


class Command(RegistryCommand):
    help = "Copy, check and seal a saved model directory as the next version of a model."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, help="Folder written by save_pretrained.")
        parser.add_argument("name", help="namespace/name of the model; made when it is new.")
        parser.add_argument("--pooling", choices=list(Pooling), help="How embeddings are pooled.")
        parser.add_argument("--note", default="", help="A sentence kept with the version.")
        parser.add_argument("--promote", action="store_true", help="Let it answer at once.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, actor = options["name"], get_actor()
        with DirectorySource(options["directory"]) as source, show_progress("copying") as progress:
            done = services.register_source(
                source,
                name,
                actor=actor,
                pooling=options["pooling"],
                note=options["note"],
                progress=progress,
            )
        for path in done.skipped:
            self.stderr.write(f"skipped {path}")
        self.stdout.write(_sentence(done))
        if options["promote"]:
            version = services.promote(
                name, done.version.number, actor=actor, reason=options["note"]
            )
            self.stdout.write(f"{name} version {version.number} is live")


def _sentence(done: services.Registration) -> str:
    version = done.version
    what = (
        f"{version.model} version {version.number} ({version.task}, digest {version.digest[:12]})"
    )
    if done.is_new:
        return f"registered {what}"
    return f"nothing new: these files are {what}, {done.state}"
