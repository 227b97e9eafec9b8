"""`manage.py sign ns/name N --key private.pem`: sign a version's files."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from registry.management.base import RegistryCommand, get_actor
from registry.services import signing
from registry.services.signing import SignatureStatus

MAX_FILE_BYTES = 4 * 1024**2


class Command(RegistryCommand):
    help = "Sign a version's files with a private key, or attach a signature made elsewhere."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("number", type=int, help="Number of the version.")
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--key", type=Path, help="Private key (PEM); only read, never kept.")
        how.add_argument("--bundle", type=Path, help="What `model_signing sign key` wrote.")
        parser.add_argument(
            "--password-file", type=Path, help="File with the private key's password."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        name, number, actor = options["name"], options["number"], get_actor()
        if options["bundle"]:
            text = _read(options["bundle"]).decode("utf-8", "replace")
            found = signing.attach(name, number, text, actor=actor)
        else:
            file = options["password_file"]
            password = _read(file).rstrip(b"\r\n") if file else None
            key = _read(options["key"])
            found = signing.sign_version(name, number, key=key, password=password, actor=actor)
        signer = f"{found.key} ({found.fingerprint[:12]})" if found.key else found.fingerprint[:12]
        self.stdout.write(f"{name} version {number} is signed by {signer}")
        if found.status is not SignatureStatus.VALID:
            self.stderr.write(f"it does not count yet: {found.problem}; see manage.py trust add")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise CommandError(f"{path} is over {MAX_FILE_BYTES} bytes")
    return data
