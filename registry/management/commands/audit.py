"""`manage.py audit`: which version answered, and whether the log is as it was written."""

from argparse import ArgumentParser
from datetime import UTC
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from registry.audit import ChainReport, Checkpoint, checkpoint_text, parse_checkpoint
from registry.management.base import RegistryCommand
from registry.services import audit
from registry.timeline import Answerer, EventSpec, parse_time, who_answered


class Command(RegistryCommand):
    help = (
        "Say which version of a model answered at a time, who decided that and why; or check the "
        "whole audit log (exit status 1 when it is not as it was written)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", help="namespace/name of the model.")
        parser.add_argument("--at", default="", help="An ISO 8601 time; now if left out.")
        parser.add_argument(
            "--verify", action="store_true", help="Check every event and the last checkpoint."
        )
        parser.add_argument(
            "--against", type=Path, help="With --verify: a checkpoint kept elsewhere."
        )
        parser.add_argument(
            "--checkpoint",
            action="store_true",
            help="Check the log, remember its head, and print it for keeping elsewhere.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        acts = (options["name"], options["verify"], options["checkpoint"])
        if sum(map(bool, acts)) != 1:
            raise CommandError("name a model, or say --verify or --checkpoint")
        if options["checkpoint"]:
            self.stdout.write(checkpoint_text(audit.write_checkpoint()))
        elif options["verify"]:
            self._verify(_read(options["against"]) if options["against"] else None)
        else:
            at = parse_time(options["at"], "--at") if options["at"] else timezone.now()
            self.stdout.write("\n".join(_answer(who_answered(options["name"], at))))

    def _verify(self, checkpoint: Checkpoint | None) -> None:
        report = audit.verify_chain(checkpoint)
        for fault in report.faults:
            self.stdout.write(f"event {fault.id}: {fault.kind}: {fault.message}")
        if not report.is_sound:
            raise CommandError(
                f"{report.n_faults} faults in {report.n_events} events: compare with a backup"
            )
        self.stdout.write(_sound(report))


def _read(path: Path) -> Checkpoint:
    try:
        return parse_checkpoint(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} is no checkpoint: make one with --checkpoint") from error


def _sound(report: ChainReport) -> str:
    older = f", {report.n_unsealed} of them older than the chain" if report.n_unsealed else ""
    head = f"; the last is {report.head_id}, {report.head_hash[:12]}" if report.head_hash else ""
    return f"{report.n_events} events{older}: as they were written{head}"


def _answer(found: Answerer) -> list[str]:
    at = found.at.astimezone(UTC).isoformat(timespec="seconds")
    if found.number is None:
        return [f"{at}: no version of {found.model} answered"]
    lines = [f"{at}: {found.model} version {found.number} answered"]
    if found.digest:
        lines.append(f"  digest   {found.digest}")
    if found.since:
        lines.append(f"  since    {_event(found.since)}")
    if found.decision:
        lines.append(f"  decision {_event(found.decision)}")
        lines.append(f"  why      {found.decision.reason or 'no reason was given'}")
    return lines


def _event(event: EventSpec) -> str:
    at = event.at.astimezone(UTC).isoformat(timespec="seconds")
    return f"{at}, event {event.id}: {event.kind.value} by {event.actor}"
