"""From a version to a predictor. Imports torch only when called: admin, checks and the worker stay
light.
"""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from inference.predictor import Predictor
from inference.runtimes.ports import Placement
from inference.swap.admission import Memory, weigh
from inference.swap.memory import read_memory
from inference.tasks.kinds import KINDS
from registry.specs import VersionKind, VersionSpec

# OpenMP's threads spin for milliseconds while they wait for each other. Where passes overlap that
# takes the core from the one waited for; a short spin keeps most of the gain and none of the harm.
SPIN_COUNT = "2000"


def shorten_spinning() -> None:
    """Tell OpenMP how long to spin, unless the environment does; before torch is loaded."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)


def n_cores() -> int:
    """Return the CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchShape:
    """How the device likes its work: lanes, and the bounds of one forward pass."""

    n_lanes: int
    max_batch: int
    max_batch_tokens: int
    max_padding: float


def load_batch_shape() -> BatchShape:
    """Return the settings' batch shape, with what is left at 0 picked for the device."""
    from inference.runtimes.torch import default_lanes

    is_gpu = load_placement().device.startswith("cuda")
    return BatchShape(
        n_lanes=settings.BELLWETHER_LANES or default_lanes(load_placement().device, n_cores()),
        max_batch=settings.BELLWETHER_MAX_BATCH or (64 if is_gpu else 8),
        max_batch_tokens=settings.BELLWETHER_MAX_BATCH_TOKENS or (16_384 if is_gpu else 2_048),
        max_padding=0.5 if is_gpu else 0.3,
    )


@cache
def load_placement() -> Placement:
    """Return where models run, as the settings and this machine say."""
    from inference.runtimes.torch import resolve_placement

    return resolve_placement(
        settings.BELLWETHER_DEVICE,
        settings.BELLWETHER_DTYPE,
        n_cores=n_cores(),
    )


def load_predictor(spec: VersionSpec) -> Predictor:
    """Load `spec` and return it, not warmed up; takes seconds.

    Raises ValueError for a task that is not served, and what the loaders raise for a broken model.
    """
    from inference.runtimes import remote, writing
    from inference.runtimes.company import check_company
    from inference.runtimes.torch import TorchRuntime

    if spec.kind is VersionKind.REMOTE:
        return remote.load(spec)
    kind = KINDS.get(spec.task)
    if kind is None:
        raise ValueError(
            f"{spec.model} v{spec.number} is a {spec.task} model; "
            f"this server serves {', '.join(KINDS)}"
        )
    if kind.make is None or kind.head is None:
        return writing.load(spec, load_placement())
    task = kind.make(spec.view, spec.labels)
    runtime = TorchRuntime(spec, load_placement(), task.form, kind.head)
    check_company(task, runtime, dtype=load_placement().dtype)
    return Predictor(spec=spec, task=task, runtime=runtime)


class ModelRoom:
    """Memory where models live: the GPU's if they run there, else this process's."""

    @property
    def peak_copies(self) -> float:
        # Weights in another format lie beside the converted ones while they are read.
        return 1.0 if self._is_gpu else 1.5

    @property
    def _is_gpu(self) -> bool:
        return load_placement().device.startswith("cuda")

    def weigh(self, spec: VersionSpec) -> int:
        """Bytes of the version's weights in the format that they run in."""
        dtype = load_placement().dtype
        files = sorted(spec.view.glob("*.safetensors"))
        return sum(weigh(_read_header(file), dtype) for file in files)

    def read(self) -> Memory:
        if not self._is_gpu:
            return read_memory(settings.BELLWETHER_MEMORY_LIMIT_BYTES)
        import torch

        free, total = torch.cuda.mem_get_info(load_placement().device)
        return Memory(total, total - free, load_placement().device)


def _read_header(file: Path) -> dict[str, Any]:
    """The header of a safetensors file, whose length was bounded when it came in."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header: dict[str, Any] = json.loads(stream.read(length))
    return header
