"""From a version to a predictor. Imports torch only when called: admin, checks and the worker stay
light.
"""

import os
from dataclasses import dataclass
from functools import cache

from django.conf import settings

from inference.predictor import Predictor
from inference.runtimes.ports import Placement
from registry.specs import VersionSpec

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
    """Load `spec` and return it ready to answer; takes seconds.

    Raises ValueError for a task that is not served, and what the loaders raise for a broken model.
    """
    from inference.runtimes.torch import TorchRuntime
    from inference.tasks.text_classification import TextClassification

    if spec.task != "text-classification":
        raise ValueError(
            f"{spec.model} v{spec.number} is a {spec.task} model; "
            "this server serves text-classification"
        )
    task = TextClassification(spec.view, spec.labels)
    runtime = TorchRuntime(spec, load_placement(), task.tokenizer.form)
    predictor = Predictor(spec=spec, task=task, runtime=runtime)
    _warm_up(predictor)
    return predictor


def _warm_up(predictor: Predictor) -> None:
    """Run the shapes that traffic will bring: the first forward pass of a model costs many times
    the next.
    """
    text = "A sentence of ordinary length to warm the model up."
    for n in (1, 4):
        predictor.forward(predictor.task.encode([text] * n, short=False))
