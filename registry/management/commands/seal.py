"""`manage.py seal ns/name [REVISION]`: make what was pushed a version."""

from argparse import ArgumentParser
from typing import Any

from registry import services
from registry.management.base import RegistryCommand, get_actor
from registry.refs import MAIN
from registry.specs import Pooling


class Command(RegistryCommand):
    help = "Check the files of a revision as a whole model, and make them an immutable version."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument(
            "revision", nargs="?", default=MAIN, help="Branch, tag or commit; main by default."
        )
        parser.add_argument("--number", type=int, help="The number it must get.")
        parser.add_argument(
            "--pooling", choices=[*map(str, Pooling)], help="How embeddings are pooled."
        )
        parser.add_argument("--note", default="", help="A sentence kept with the version.")

    def handle(self, *args: Any, **options: Any) -> None:
        done = services.seal(
            options["name"],
            options["revision"],
            actor=get_actor(),
            number=options["number"],
            note=options["note"],
            pooling=options["pooling"],
        )
        version = done.version
        word = "sealed" if done.is_new else "nothing new: these files are"
        self.stdout.write(
            f"{word} {version.model} version {version.number} (digest {version.digest[:12]})"
        )
