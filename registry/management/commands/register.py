"""`manage.py register PATH ns/name`: make a directory of files, or an archive, a version."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from registry import services
from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.services.archives import register_archive
from registry.sources.directory import DirectorySource
from registry.specs import Pooling
from registry.store import Progress


class Command(RegistryCommand):
    help = "Copy, check and seal a saved model directory or archive as a model's next version."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "path", type=Path, help="Folder written by save_pretrained, or a tar, tar.gz or zip."
        )
        parser.add_argument("name", help="namespace/name of the model; made when it is new.")
        parser.add_argument(
            "--pooling", choices=[*map(str, Pooling)], help="How embeddings are pooled."
        )
        parser.add_argument("--note", default="", help="A sentence kept with the version.")
        parser.add_argument("--promote", action="store_true", help="Let it answer at once.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, actor = options["name"], get_actor()
        with show_progress("copying") as progress:
            done = _register(options, actor, progress)
        for path in done.skipped:
            self.stderr.write(f"skipped {path}")
        self.stdout.write(_sentence(done))
        if options["promote"]:
            version = services.promote(
                name, done.version.number, actor=actor, reason=options["note"]
            )
            self.stdout.write(f"{name} version {version.number} is live")


def _register(options: dict[str, Any], actor: str, progress: Progress) -> services.Registration:
    path, name = options["path"], options["name"]
    chosen: dict[str, Any] = {
        "actor": actor,
        "pooling": options["pooling"],
        "note": options["note"],
        "progress": progress,
    }
    if path.is_file():
        return register_archive(path, name, **chosen)
    with DirectorySource(path) as source:
        return services.register_source(source, name, **chosen)


def _sentence(done: services.Registration) -> str:
    version = done.version
    what = (
        f"{version.model} version {version.number} ({version.task}, digest {version.digest[:12]})"
    )
    if done.is_new:
        return f"registered {what}"
    return f"nothing new: these files are {what}, {done.state}"
