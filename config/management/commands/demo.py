"""`manage.py demo`: a model gets worse in front of your eyes, and is caught."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from config.demo import starting
from config.demo.board import Board
from config.demo.player import Player
from config.demo.preparing import prepare
from config.demo.script import FAST, FULL, Script
from config.demo.service import MODEL, DemoError, Service
from config.demo.starting import Running
from config.demo.view import LiveView, PlainView, View
from config.demo.wiping import wipe
from config.startup import STARTER_DIRECTORY, public_url

INTERRUPTED = 130


class Command(BaseCommand):
    help = (
        "Plays a few thousand texts through the public API in about two minutes: reviews, "
        "another domain, wrong labels, recovery; drift and loss of quality are seen and told."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", help="A service that runs already, instead of this home's.")
        parser.add_argument("--fast", action="store_true", help="Fewer texts; ends by itself.")
        parser.add_argument("--loop", action="store_true", help="Play again until Ctrl+C.")
        parser.add_argument(
            "--wipe", action="store_true", help="Remove the demo's model and all kept about it."
        )
        parser.add_argument(
            "--keep", action="store_true", help="Leave a service that it started running."
        )
        parser.add_argument("--seed", type=int, default=1, help="Other numbers give other texts.")

    def handle(self, *args: Any, **options: Any) -> None:
        # Whoever ends it otherwise wants the same: no service of the demo's own is left behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            with self._service(options) as running:
                self._serve(running, options)
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self._say("\nStopped.")
            sys.exit(INTERRUPTED)

    def _serve(self, running: Running, options: dict[str, Any]) -> None:
        service = Service(running.url, starting.get_key(settings.BELLWETHER_HOME))
        try:
            if options["wipe"]:
                was_there = wipe(service, tell=self._tell)
                self._say("The demo is gone." if was_there else "There was no demo.")
                return
            self._play(service, options)
        finally:
            service.close()
        self._stay(running, options)

    @contextmanager
    def _service(self, options: dict[str, Any]) -> Iterator[Running]:
        """The service to play on: one that answers, or one that is started for this."""
        url = options["url"] or public_url()
        if options["url"] or settings.BELLWETHER_PORT:
            if starting.answers(url.rstrip("/")):
                yield Running(url.rstrip("/"))
                return
            if options["url"]:
                raise DemoError(f"Nothing answers at {url}.")
        manage = Path(settings.BASE_DIR) / "manage.py"
        home = Path(settings.BELLWETHER_HOME)
        with starting.started(manage, home, keep=options["keep"], tell=self._tell) as running:
            yield running

    def _play(self, service: Service, options: dict[str, Any]) -> None:
        script, seed = FAST if options["fast"] else FULL, options["seed"]
        prepare(service, script, STARTER_DIRECTORY, seed=seed, tell=self._tell)
        board = _board(service.url, script)
        view = self._view(board)
        player = Player(service, script, board, hear=view.hear, refresh=view.refresh)
        for name, address in board.addresses.items():
            self._tell(f"{name}: {address}")
        with view:
            player.play(seed, is_loop=options["loop"])
        if player.surprises:
            raise DemoError("Not as written: " + "; ".join(player.surprises))
        self._say(
            f"The play is over: {board.n_total} texts in {board.elapsed_s:.0f} s. "
            "Every alert came in its act and is resolved. `manage.py demo --wipe` removes it all."
        )

    def _view(self, board: Board) -> View:
        console = Console(file=cast(TextIO, self.stdout._out))
        if console.is_terminal and not console.is_dumb_terminal:
            return LiveView(board, console)
        return PlainView(board, self._say)

    def _stay(self, running: Running, options: dict[str, Any]) -> None:
        """Go on serving what was started here, so that there is something to look at."""
        if running.pid is None or options["fast"]:
            return
        if options["keep"]:
            self._say(f"The service goes on at {running.url} (process {running.pid}).")
            return
        self._say(f"The service goes on at {running.url}; Ctrl+C ends it.")
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)

    def _tell(self, what: str) -> None:
        self._say(f"  {what}")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _board(url: str, script: Script) -> Board:
    admin = f"{url}/admin"
    return Board(
        addresses={
            "model": f"{admin}/models/{MODEL}/",
            "alerts": f"{admin}/alerts/",
            "playground": f"{admin}/playground/",
            "sign in": starting.get_sign_in(settings.BELLWETHER_HOME),
        },
        n_acts=len(script.acts),
        began_at=datetime.now(UTC),
    )
