"""`manage.py delete_model ns/name --yes`: the end of a model."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry import services
from registry.management.base import RegistryCommand, get_actor
from registry.queries import load_model


class Command(RegistryCommand):
    help = (
        "Delete a model with all its versions and all that was kept about it; refused while one "
        "of them is routed, unless forced."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--reason", default="", help="A sentence kept with the event.")
        parser.add_argument(
            "--force", action="store_true", help="Also while it answers requests; needs a reason."
        )
        parser.add_argument("--yes", action="store_true", help="Really do it.")

    def handle(self, *args: Any, **options: Any) -> None:
        model = load_model(options["name"])
        if not options["yes"]:
            raise CommandError(
                f"{model.name} has {model.n_versions} versions; say --yes to delete them all"
            )
        services.delete_model(
            model.name, actor=get_actor(), reason=options["reason"], force=options["force"]
        )
        self.stdout.write(f"{model.name} is deleted; gc frees its files")
