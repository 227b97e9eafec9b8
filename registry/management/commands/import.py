"""`manage.py import SOURCE ns/name`: bring in a model from a Hub endpoint."""

from argparse import ArgumentParser
from typing import Any

from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.services import importing, operations
from registry.specs import OperationKind, Pooling


class Command(RegistryCommand):
    help = "Download, verify, check and seal a model of a Hub as the next version of a model."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", help="The model's name on the endpoint, like org/model.")
        parser.add_argument("name", help="namespace/name of the model here; made when it is new.")
        parser.add_argument("--revision", help="Branch, tag or commit; main unless given.")
        parser.add_argument(
            "--endpoint",
            help="Scheme, host and port; the first of BELLWETHER_IMPORT_ENDPOINTS unless given.",
        )
        parser.add_argument(
            "--pooling", choices=[*map(str, Pooling)], help="How embeddings are pooled."
        )
        parser.add_argument("--note", default="", help="A sentence kept with the version.")
        parser.add_argument("--promote", action="store_true", help="Let it answer at once.")

    def handle(self, *args: Any, **options: Any) -> None:
        parameters = importing.check_import(
            options["source"],
            options["name"],
            revision=options["revision"],
            endpoint=options["endpoint"],
            pooling=options["pooling"],
            note=options["note"],
            promote=options["promote"],
            is_any_endpoint=True,
        )
        with show_progress("importing") as progress:
            done = operations.work_inline(
                OperationKind.IMPORT,
                importing.import_title(parameters),
                actor=get_actor(),
                parameters=parameters,
                progress=progress,
            )
        for path in done["skipped"]:
            self.stderr.write(f"left out {path}")
        self.stdout.write(importing.sentence(done))
