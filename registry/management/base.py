"""What the registry's commands share: errors as one sentence, a progress bar, who acts."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from access.errors import BellwetherError
from registry.store import Progress


class RegistryCommand(BaseCommand):
    """A command whose expected failures are one clear sentence and exit status 1."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except BellwetherError as error:
            raise CommandError(error.message) from error


def get_actor() -> str:
    """Who runs the command, as events keep it."""
    try:
        return f"{getpass.getuser()} (command line)"
    except (KeyError, OSError):
        return "command line"


@contextmanager
def show_progress(title: str) -> Iterator[Progress]:
    """A bar on the terminal's error stream; nothing where there is no terminal."""
    with tqdm(
        desc=title, unit="B", unit_scale=True, leave=False, disable=not sys.stderr.isatty()
    ) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show
