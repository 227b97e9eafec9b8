"""`manage.py backups [TARGET]`: what lies at a target; check it, forget old snapshots."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry.backups.checking import list_snapshots, load_snapshot
from registry.backups.pruning import Pruned
from registry.backups.retention import COUNTED, Policy, parse_policy
from registry.backups.targets import Target
from registry.errors import BackupDamaged
from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.services import backups


class Command(RegistryCommand):
    help = "List a target's snapshots; with --check read them again, with --keep-… forget old ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "target", nargs="?", help="Configured name, folder or URL; without one, list the names."
        )
        parser.add_argument("--check", action="store_true", help="Read and hash every byte there.")
        parser.add_argument("--snapshot", help="With --check, only this one.")
        for word in COUNTED:
            parser.add_argument(f"--keep-{word}", type=int, metavar="N", help=_help(word))
        parser.add_argument("--keep-within", metavar="SPAN", help="All younger than, say, 2d12h.")
        parser.add_argument("--keep-tag", action="append", default=[], help="All with this tag.")
        parser.add_argument(
            "--prune", action="store_true", help="Delete files that no snapshot needs."
        )
        parser.add_argument(
            "--run", action="store_true", help="Really forget and delete; without, only tell."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["target"]:
            self.stdout.write("\n".join(backups.target_names()) or "none is configured")
            return
        target = backups.find_location(options["target"])
        policy = _policy(options)
        if options["check"]:
            self._check(target, options["snapshot"])
        elif policy or options["prune"]:
            self._forget(target, policy, is_dry=not options["run"])
        else:
            self._list(target)

    def _list(self, target: Target) -> None:
        for name in list_snapshots(target):
            try:
                found = load_snapshot(target, name)
            except BackupDamaged as error:
                self.stdout.write(f"{name}  DAMAGED: {error.message}")
                continue
            tags = f"  {' '.join(found.tags)}" if found.tags else ""
            self.stdout.write(f"{name}  {found.n_blobs} files  {found.n_bytes / 1e6:.1f} MB{tags}")

    def _check(self, target: Target, snapshot: str | None) -> None:
        with show_progress("reading") as progress:
            found = backups.check(target, snapshot=snapshot, progress=progress)
        for fault in found.faults:
            self.stdout.write(f"{fault.path}: {fault.problem}")
        summary = f"{found.n_snapshots} snapshots, {found.n_files} files"
        if not found.is_sound:
            raise CommandError(f"{summary}: {len(found.faults)} faults; back up again elsewhere")
        self.stdout.write(f"{summary}, {found.n_bytes / 1e6:.1f} MB: sound")

    def _forget(self, target: Target, policy: Policy | None, *, is_dry: bool) -> None:
        done = backups.forget(target, policy, actor=get_actor(), is_dry=is_dry)
        for line in _lines(done):
            self.stdout.write(line)
        would = "would delete" if is_dry else "deleted"
        self.stdout.write(f"{would} {done.n_files} files of {done.n_bytes / 1e6:.1f} MB")
        if is_dry:
            self.stdout.write("nothing has changed: say --run to do it")


def _lines(done: Pruned) -> list[str]:
    return [
        f"{'keep  ' if one.is_kept else 'forget'} {one.name}  {', '.join(one.reasons)}".rstrip()
        for one in done.decisions
    ]


def _policy(options: dict[str, Any]) -> Policy | None:
    words = [f"{w}={options[f'keep_{w}']}" for w in COUNTED if options[f"keep_{w}"] is not None]
    if options["keep_within"] is not None:
        words.append(f"within={options['keep_within']}")
    words += [f"tag={tag}" for tag in options["keep_tag"]]
    return parse_policy(" ".join(words)) if words else None


def _help(word: str) -> str:
    if word == "last":
        return "The newest N."
    unit = {"daily": "day"}.get(word, word.removesuffix("ly"))
    return f"The newest of each of the last N {unit}s that have one."
