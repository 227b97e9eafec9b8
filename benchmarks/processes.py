"""Other processes: started on free ports, waited for with a limit, always ended by their id."""

import http.client
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
START_S = 180.0
STOP_S = 30.0


def end_in_order_on_sigterm() -> None:
    """Turn SIGTERM into SystemExit, so that every `running` block ends its process."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)


@contextmanager
def running(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    log: Path,
    is_ready: Callable[[], bool],
    start_s: float = START_S,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `command` until the block ends. Raises RuntimeError, with the end of `log`, when it dies
    or is not ready within `start_s`.
    """
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_ready(process, is_ready, time.monotonic() + start_s, log)
            yield process
        finally:
            stop(process)


def _wait_ready(
    process: "subprocess.Popen[bytes]", is_ready: Callable[[], bool], until: float, log: Path
) -> None:
    while not is_ready():
        if process.poll() is not None or time.monotonic() > until:
            why = "ended" if process.poll() is not None else "did not get ready"
            raise RuntimeError(f"{process.args!r} {why}; its log ends:\n{tail(log)}")
        time.sleep(0.1)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End `process`: asked first, killed after STOP_S."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def call(command: Sequence[str], *, environ: Mapping[str, str], timeout_s: float) -> bytes:
    """Run `command` to its end and return its stdout; raises RuntimeError with its stderr."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=dict(environ), capture_output=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command!r} took more than {timeout_s:.0f} s") from error
    if done.returncode:
        raise RuntimeError(f"{command!r} failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


def python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, path: str) -> bool:
    """Whether `path` on this machine's `port` answers 200 now."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that process `pid` has used, without its children; NaN if unknown.

    proc(5): fields 14 and 15 of /proc/PID/stat, in ticks of usually 10 ms.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tail(log: Path, n_chars: int = 2000) -> str:
    return log.read_text(errors="replace")[-n_chars:]
