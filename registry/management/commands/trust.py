"""`manage.py trust add | list | remove`: whose signatures count."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from registry.management.base import RegistryCommand, get_actor
from registry.services import trust
from registry.signatures import MAX_PEM_CHARS


class Command(RegistryCommand):
    help = "Say whose signatures count: add, list or remove public keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        add = acts.add_parser("add", help="Trust a public key.")
        add.add_argument("key_name", metavar="NAME", help="Whose key it is.")
        add.add_argument("pem", type=Path, help="Public key (PEM, P-256, P-384 or P-521).")
        add.add_argument("--model", help="Only for this model, namespace/name.")
        acts.add_parser("list", help="List the trusted keys.")
        remove = acts.add_parser("remove", help="No longer trust a key.")
        remove.add_argument("key_name", metavar="NAME", help="Its name or fingerprint.")
        remove.add_argument("--reason", default="", help="A sentence kept with the event.")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['act']}")(options)

    def _add(self, options: dict[str, Any]) -> None:
        try:
            pem = options["pem"].read_text()[:MAX_PEM_CHARS]
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['pem']} cannot be read as text") from error
        key = trust.trust_key(options["key_name"], pem, model=options["model"], actor=get_actor())
        self.stdout.write(f"{key.name} ({key.fingerprint[:12]}) is trusted for {_scope(key)}")

    def _list(self, options: dict[str, Any]) -> None:
        for key in trust.load_trusted_keys():
            self.stdout.write(f"{key.fingerprint}  {key.name}  {_scope(key)}")

    def _remove(self, options: dict[str, Any]) -> None:
        left = trust.distrust_key(options["key_name"], actor=get_actor(), reason=options["reason"])
        self.stdout.write(f"{options['key_name']} is no longer trusted")
        for version in left:
            self.stderr.write(f"{version} answers on, and cannot be loaded again until signed")


def _scope(key: trust.TrustedKeySpec) -> str:
    return key.model or "every model"
