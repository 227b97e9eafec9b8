"""`manage.py gc`: what nothing needs any more, and its removal."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from registry.management.base import RegistryCommand, get_actor, show_progress
from registry.services import sweeping


class Command(RegistryCommand):
    help = "Say what nothing needs, with sizes and reasons; with --run, condemn and sweep it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--run", action="store_true", help="Really condemn and sweep.")
        parser.add_argument(
            "--grace",
            type=float,
            default=sweeping.GRACE / timedelta(hours=1),
            metavar="HOURS",
            help="How long a file stays condemned before it is swept (default: 24).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 <= options["grace"] <= 24 * 366:
            raise CommandError("--grace must be hours, from 0 to 8784")
        grace = timedelta(hours=options["grace"])
        if not options["run"]:
            self._tell(sweeping.look(grace=grace).as_json())
            self.stdout.write("nothing has changed: say --run to condemn and sweep")
            return
        with show_progress("sweeping") as progress:
            done = sweeping.sweep_inline(actor=get_actor(), grace=grace, progress=progress)
        self._tell(done)
        swept = done["swept"]
        self.stdout.write(f"swept {swept['n_blobs']} files of {swept['n_bytes'] / 1e6:.1f} MB")

    def _tell(self, found: dict[str, Any]) -> None:
        for part in ("kept", "spare"):
            for reason, total in found[part].items():
                self.stdout.write(f"{part:6}{total['n_blobs']:7} {_mb(total)}  {reason}")
        for part in ("waiting", "due"):
            self.stdout.write(f"{part:7}{found[part]['n_blobs']:6} {_mb(found[part])}")


def _mb(total: dict[str, int]) -> str:
    return f"{total['n_bytes'] / 1e6:10.1f} MB"
