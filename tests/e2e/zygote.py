"""A process that has imported the large libraries, and forks one `manage.py` after another.

To import torch, transformers and scipy is most of what a start costs, and the tests start servers
and commands by the hundred. A child is `manage.py` as ever: it reads its own environment, settings
and code. Started as `python -m tests.e2e.zygote FD`, where FD is a socket of packets: it gets
{"arguments", "environment"} with the files for stdout and stderr, and sends {"started": pid}, and
{"ended": pid, "status": wait status} when a child is gone. Without FD it only imports them.
"""

import array
import atexit
import gc
import json
import os
import queue
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LARGE = (
    "torch",
    "transformers",
    "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto",
    "transformers.models.bert.modeling_bert",
    "scipy.stats",
    "sklearn.linear_model",
    "django.core.management",
    "django.db.migrations.executor",
    "django.db.models",
    "django.http",
    "django.template.defaulttags",
    "a2wsgi",
    "apscheduler.schedulers.blocking",
    "environ",
    "httptools",
    "httpx",
    "huggingface_hub",
    "limits.storage",
    "limits.strategies",
    "markdown_it",
    "msgspec",
    "prometheus_client",
    "requests",
    "starlette.applications",
    "starlette.requests",
    "starlette.routing",
    "structlog",
    "uvicorn",
    "uvloop",
)
_MOST_BYTES = 2**17
_START_S = 120.0


class Process:
    """A child of the zygote's; what of `subprocess.Popen` the tests use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.ended = threading.Event()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its status, negative for a signal. Raises subprocess.TimeoutExpired."""
        if not self.ended.wait(timeout):
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        # It may have ended just now.
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Zygote:
    """The tests' end of it. Safe to use from several threads."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "tests.e2e.zygote", str(theirs.fileno())],
            cwd=ROOT,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._started: queue.Queue[Process] = queue.Queue()
        self._running: dict[int, Process] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, name="zygote", daemon=True).start()

    def start(
        self, arguments: list[str], environment: dict[str, str], out: int, error: int
    ) -> Process:
        """Run `manage.py ARGUMENTS`, which writes to the files `out` and `error`."""
        asked = {"arguments": arguments, "environment": environment}
        files = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [out, error]))]
        with self._lock:
            self._ours.sendmsg([json.dumps(asked).encode()], files)
            return self._started.get(timeout=_START_S)

    def close(self) -> None:
        """End it. Children that still run go on."""
        self._ours.shutdown(socket.SHUT_RDWR)
        self._process.wait()
        self._ours.close()

    def _listen(self) -> None:
        while packet := self._ours.recv(_MOST_BYTES):
            told = json.loads(packet)
            if pid := told.get("started"):
                self._running[pid] = Process(pid)
                self._started.put(self._running[pid])
            elif process := self._running.pop(told["ended"], None):
                process.returncode = os.waitstatus_to_exitcode(told["status"])
                process.ended.set()


@cache
def zygote() -> Zygote:
    """One for each process of the tests, made when the first server is."""
    made = Zygote()
    atexit.register(made.close)
    return made


def pure_modules() -> list[str]:
    """Ours that know neither Django nor settings, as the import contract lists them."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [pure] = [each["source_modules"] for each in told["contracts"] if each["id"] == "pure"]
    return list(pure)


def serve(asking: socket.socket) -> dict[str, Any] | None:
    """Fork for each packet until the tests are gone. Returns what to run, in a child only."""
    woken, waking = socket.socketpair()
    for end in (woken, waking):
        end.setblocking(False)
    signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([asking, woken], [], [])
        if woken in ready:
            woken.recv(4096)
            _tell_ended(asking)
        if asking in ready:
            packet, files, _, _ = socket.recv_fds(asking, _MOST_BYTES, 2)
            if not packet:
                return None
            if (pid := os.fork()) == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for end in (asking, woken, waking):
                    end.close()
                return {**json.loads(packet), "files": files}
            for file in files:
                os.close(file)
            asking.send(json.dumps({"started": pid}).encode())


def _tell_ended(asking: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        asking.send(json.dumps({"ended": pid, "status": status}).encode())


def become(arguments: list[str], environment: dict[str, str], files: list[int]) -> None:
    """Be `python -u manage.py ARGUMENTS`."""
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
    sys.argv = ["manage.py", *arguments]
    sys.path[0] = str(ROOT)
    try:
        runpy.run_path(str(ROOT / "manage.py"), run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
    end()


def end() -> None:
    """Exit as the interpreter does, but free no objects: in a fork that copies all their memory."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    import importlib

    from inference.runtimes.loading import shorten_spinning

    shorten_spinning()
    gc.disable()
    for name in [*LARGE, *pure_modules()]:
        importlib.import_module(name)
    # What is frozen no collection of a child's touches, and so copies.
    gc.freeze()
    gc.enable()
    if sys.argv[1:] and (wanted := serve(socket.socket(fileno=int(sys.argv[1])))):
        become(**wanted)
