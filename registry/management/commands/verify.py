"""`manage.py verify ns/name [N]`: read every stored byte again."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from registry import services
from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.models import Version
from registry.queries import find_model
from registry.specs import VersionState
from registry.verification import Verification


class Command(RegistryCommand):
    help = "Hash every stored byte of versions; exit status 1 when anything is damaged."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="namespace/name of the model.")
        parser.add_argument("number", nargs="?", type=int, help="Only this version.")
        parser.add_argument(
            "--all", action="store_true", help="Every version of every model that is not retired."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["all"] == bool(options["name"]):
            raise CommandError("name a model, or say --all")
        n_damaged = 0
        for result in _results(options):
            found, version = result.verification, result.version
            label = f"{version.model} version {version.number}"
            self.stdout.write(f"{label}: {'sound' if found.is_sound else 'DAMAGED'}")
            for line in _lines(found):
                self.stdout.write(f"  {line}")
            n_damaged += not found.is_sound
        if n_damaged:
            raise CommandError(
                f"{n_damaged} damaged: restore the files from a backup, verify again"
            )


def _results(options: dict[str, Any]) -> Iterator[services.VerifyResult]:
    if options["all"]:
        yield from services.verify_all(actor=get_actor())
        return
    for number in _numbers(options["name"], options["number"]):
        with show_progress(f"version {number}") as progress:
            yield services.verify(options["name"], number, actor=get_actor(), progress=progress)


def _numbers(name: str, number: int | None) -> list[int]:
    if number is not None:
        return [number]
    rows = Version.objects.filter(model=find_model(name)).exclude(state=VersionState.RETIRED)
    return list(rows.order_by("number").values_list("number", flat=True))


def _lines(found: Verification) -> Iterator[str]:
    for place in found.missing:
        yield f"missing {place}"
    for damage in found.damaged:
        yield (
            f"damaged {damage.place}: {damage.path}: expected {damage.expected}, "
            f"found {damage.found or 'nothing readable'}"
        )
    for place in found.extra:
        yield f"extra {place}"
