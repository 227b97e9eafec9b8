"""What a figure was measured on, and what it does not say."""

import importlib.metadata
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "django",
    "djangorestframework",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "a2wsgi",
    "msgspec",
    "fastapi",
)
BIAS = (
    "Loopback, closed loop: clients wait for answers, so a slow server is asked less often and",
    "its tail looks shorter than under open arrivals. Client and server share the cores; the",
    "generator's own share is printed. One machine, one moment: compare within this run only,",
    "and read ratios. Whoever measures here also wrote one of the two servers.",
)


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """`load_1m` is the machine's load average before the run: above about 0.5 it was not idle."""

    at: str
    cpu: str
    n_cores: int
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]
    load_1m: float


def load_machine() -> Machine:
    """Look at this machine and the installed packages."""
    return Machine(
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        cpu=_field("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        n_cores=len(os.sched_getaffinity(0)),
        memory_gb=round(int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 1e6, 1),
        system=platform.platform(),
        python=platform.python_version(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        load_1m=os.getloadavg()[0],
    )


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")


def describe(machine: Machine, bias: Sequence[str] = BIAS) -> list[str]:
    """Return the machine and what biases the figures as lines for people."""
    versions = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return [
        f"{machine.at}  {machine.cpu}, {machine.n_cores} cores, {machine.memory_gb} GB",
        f"{machine.system}, Python {machine.python}, load before the run {machine.load_1m:.2f}",
        versions,
        "",
        *bias,
    ]
