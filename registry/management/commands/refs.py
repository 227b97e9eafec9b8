"""`manage.py refs ns/name`: names for states of a model's files, and setting aliases."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry import services
from registry.management.base import RegistryCommand, get_actor
from registry.queries import find_model
from registry.refs import load_refs


class Command(RegistryCommand):
    help = "List a model's branches, tags and aliases; set or forget an alias of a version."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--set", metavar="ALIAS=REVISION", help="Let an alias mean a version.")
        parser.add_argument("--forget", metavar="ALIAS", help="Forget an alias.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"]
        if options["set"]:
            alias, _, revision = options["set"].partition("=")
            if not revision:
                raise CommandError("write --set ALIAS=REVISION, such as --set champion=v3")
            services.set_alias(name, alias, revision, actor=get_actor())
        if options["forget"]:
            services.delete_alias(name, options["forget"], actor=get_actor())
        for ref in load_refs(find_model(name)):
            self.stdout.write(f"{ref.kind:8}{ref.name:30}{ref.commit}")
