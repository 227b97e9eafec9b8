"""`manage.py policy ns/name`: whether only signed versions may be routed."""

from argparse import ArgumentParser
from typing import Any

from registry.management.base import RegistryCommand, get_actor
from registry.queries import find_model
from registry.services import trust


class Command(RegistryCommand):
    help = "Show or set whether only signed versions of a model may be routed and loaded."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--require-signature", choices=["yes", "no"], help="Set it.")
        parser.add_argument("--reason", default="", help="A sentence kept with the event.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, wanted = options["name"], options["require_signature"]
        if wanted:
            trust.set_policy(
                name,
                requires_signature=wanted == "yes",
                actor=get_actor(),
                reason=options["reason"],
            )
        is_on = find_model(name).requires_signature
        self.stdout.write(f"{name}: signatures are {'required' if is_on else 'not required'}")
