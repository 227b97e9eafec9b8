"""`manage.py verify ns/name [N]`: read every stored byte again; `--full`: of the whole registry."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from registry import services
from registry.backups.targets import Target
from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.models import Version
from registry.queries import find_model
from registry.services import backups
from registry.services.healing import heal
from registry.services.scrubbing import Level, parse_subset, scrub
from registry.specs import VersionState
from registry.verification import Verification


class Command(RegistryCommand):
    help = "Read what is stored again, of versions or all of it; exit status 1 when it is damaged."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="namespace/name of the model.")
        parser.add_argument("number", nargs="?", type=int, help="Only this version.")
        parser.add_argument(
            "--all", action="store_true", help="Every version of every model that is not retired."
        )
        parser.add_argument(
            "--level",
            type=int,
            choices=list(map(int, Level)),
            help="The whole registry: 0 files are there, 1 rows, manifests and views fit, "
            "2 every byte, 3 weights and tokenizers can be parsed.",
        )
        parser.add_argument("--full", action="store_true", help="The same as --level 3.")
        parser.add_argument("--subset", help="Hash only part n of t (n/t), the same each time.")
        parser.add_argument("--max-duration", type=float, metavar="S", help="Hash no longer.")
        parser.add_argument("--heal", metavar="TARGET", help="Replace what is damaged from there.")

    def handle(self, *args: Any, **options: Any) -> None:
        is_whole = options["full"] or options["level"] is not None or bool(options["heal"])
        if [is_whole, options["all"], bool(options["name"])].count(True) != 1:
            raise CommandError("name a model, or say --all, --full, --level N or --heal TARGET")
        if is_whole:
            self._check_registry(options)
        else:
            self._check_versions(options)

    def _check_registry(self, options: dict[str, Any]) -> None:
        if options["full"] or options["level"] is not None:
            self._scrub(options, is_last=not options["heal"])
        if options["heal"]:
            self._heal(backups.find_location(options["heal"]))

    def _scrub(self, options: dict[str, Any], *, is_last: bool) -> None:
        with show_progress("reading") as progress:
            found = scrub(
                Level.CONTENT if options["full"] else Level(options["level"]),
                actor=get_actor(),
                subset=parse_subset(options["subset"]) if options["subset"] else None,
                max_duration_s=options["max_duration"],
                progress=progress,
            )
        for finding in found.findings:
            self.stdout.write(f"level {int(finding.level)}: {finding.where}: {finding.problem}")
        left = f", {found.n_left} left for another time" if found.n_left else ""
        self.stdout.write(
            f"{found.n_blobs} files, {found.n_hashed} of them read "
            f"({found.n_hashed_bytes / 1e6:.1f} MB){left}"
        )
        if not found.is_sound and is_last:
            n_faults = len(found.findings)
            raise CommandError(
                f"{n_faults} fault{'s' * (n_faults > 1)}: heal from a backup (--heal TARGET)"
            )
        self.stdout.write("sound" if found.is_sound else "not sound")

    def _heal(self, target: Target) -> None:
        with show_progress("healing") as progress:
            done = heal([target], actor=get_actor(), progress=progress)
        for version in done.versions:
            self.stdout.write(f"healed {version}")
        self.stdout.write(f"{len(done.blobs)} files replaced")
        if done.left:
            raise CommandError(f"still damaged: {', '.join(done.left[:20])}")

    def _check_versions(self, options: dict[str, Any]) -> None:
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
                f"{n_damaged} damaged: heal them from a backup (manage.py verify --heal TARGET)"
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
