"""The serving process: uvicorn in it, the worker beside it, an orderly end."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from django.conf import settings
from django.core.management.base import CommandError

from access.services import FirstRun
from config import logs
from config.startup import public_url
from inference.runtimes import loading

Write = Callable[[str], object]

# Python lets a thread compute for 5 ms before another may; a prediction takes less in all. Shorter
# turns keep the event loop and the lanes prompt beside admin pages (benchmarks/planes.py).
SWITCH_INTERVAL_S = 0.0005

WORKER_STOP_S = 10.0
WORKER_BACKOFF_S = (1.0, 5.0, 30.0)
KEEP_ALIVE_S = 75
BACKLOG = 2048


class Worker:
    """`manage.py work` as a child process, started again when it dies, ended with the server."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(
            target=self._keep_running, name="worker-keeper", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(WORKER_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._thread.is_alive():
            self._thread.join(1)

    def _keep_running(self) -> None:
        n_deaths = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            # Its own session: Ctrl-C reaches only the server, which ends the worker in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                [sys.executable, str(settings.BASE_DIR / "manage.py"), "work"],
                start_new_session=True,
                env={**os.environ, "BELLWETHER_PARENT_PID": str(os.getpid())},
            )
            self._process.wait()
            n_deaths = 0 if time.monotonic() - started > 60 else n_deaths + 1
            self._stopping.wait(WORKER_BACKOFF_S[min(n_deaths, len(WORKER_BACKOFF_S)) - 1])


class AnnouncingServer(uvicorn.Server):
    """Says when it answers, and on which port."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], object]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def run(write: Write, *, first_run: FirstRun | None, with_worker: bool) -> None:
    """Serve until SIGINT or SIGTERM, then drain, and return (so that the process exits 0)."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    loading.shorten_spinning()
    listening = _listen()
    port = listening.getsockname()[1]
    write("[4/4] Loading the models")
    config = uvicorn.Config(
        "config.asgi:application",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.BELLWETHER_DRAIN_S),
        lifespan="on",
        ws="none",
    )
    server = AnnouncingServer(config, lambda: write(banner(public_url(port), first_run)))
    # uvicorn raises the signal that ended it once more at its end; the drain is the orderly end.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)
    worker = Worker()
    if with_worker:
        worker.start()
    try:
        with logs.written_in_background():
            server.run([listening])
    finally:
        worker.stop()
    if not server.started:
        raise CommandError("The server could not start; the log above says why.")
    write("Stopped in order.")


def _ignore(number: int, frame: FrameType | None) -> None:
    """Take a signal that has been acted upon already."""


def _listen() -> socket.socket:
    """Return a bound socket; raises CommandError with the remedy when the address cannot be had."""
    host, port = settings.BELLWETHER_HOST, settings.BELLWETHER_PORT
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host.strip("[]"), port))
    except OSError as error:
        listening.close()
        raise CommandError(
            f"Cannot listen on {host}:{port} ({error.strerror}). "
            "Set BELLWETHER_HOST or BELLWETHER_PORT to another address."
        ) from error
    listening.listen(BACKLOG)
    listening.set_inheritable(False)
    return listening


def banner(url: str, first_run: FirstRun | None) -> str:
    """Return what to paste next; the key itself only on the first start."""
    key_file = settings.BELLWETHER_HOME / "first-run.json"
    lines = ["", f"Bellwether serves on {url}   (docs: {url}/docs, admin: {url}/admin/)"]
    if first_run is not None:
        lines += [
            "",
            f"  admin account  {first_run.admin_user} / {first_run.admin_password}",
            f"  API key        {first_run.api_key}",
            f"  Both are shown only now; they are kept in {key_file}",
        ]
        key = first_run.api_key
    else:
        key = f'$(python3 -c \'import json; print(json.load(open("{key_file}"))["api_key"])\')'
    lines += [
        "",
        "Try it:",
        "",
        f"  curl -s {url}/api/v1/models/{settings.BELLWETHER_DEFAULT_MODEL}/predict \\",
        f'    -H "Authorization: Bearer {key}" \\',
        "    -H 'Content-Type: application/json' \\",
        '    -d \'{"inputs": "I did not expect to like this film, but it is wonderful."}\'',
        "",
        "Ctrl-C stops it.",
        "",
    ]
    return "\n".join(lines)
