"""Detectors of rising errors, on a model's real answers: delay in labels at equal run lengths.

Only numpy and the standard library, since river runs it in an environment of its own. Every
detector has one setting that makes it slower to alarm. The first of a fixed ladder at which quiet
streams go at least RUN_LENGTH labels between alarms is taken; then changes are put in.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

RUN_LENGTH = 10_000
Labels = npt.NDArray[np.int64]
_SHIFT = "shift:"


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """`quiet` and each of `shifted` are [s, L, 2]: true and predicted class, in order of arrival;
    shifted ones are quiet up to place `n_before`.
    """

    quiet: Labels
    shifted: Mapping[str, Labels]
    n_before: int


Update = Callable[[int, int], bool]
"""Takes the true and the predicted class; says whether it alarms."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """`make` builds a fresh detector of one setting; `settings` go towards fewer alarms."""

    name: str
    make: Callable[[float], Update]
    settings: tuple[float, ...]
    default: float


@dataclass(frozen=True, slots=True)
class LabelledOutcome:
    """`run_length` labels between false alarms at `setting` (None: none), that at the default
    setting beside it, and the median delay in labels by the name of the shift, None where most
    were not found. `is_matched` says whether any setting reached RUN_LENGTH.
    """

    name: str
    setting: float
    run_length: float | None
    default: float
    default_run_length: float | None
    is_matched: bool
    delays: Mapping[str, float | None]


def try_on(case: Labelled, candidate: Candidate) -> LabelledOutcome:
    """Find the setting, then the delays."""
    setting, length = candidate.settings[-1], math.nan
    for setting in candidate.settings:
        length = run_length(case.quiet, lambda at=setting: candidate.make(at))  # type: ignore[misc]
        if length >= RUN_LENGTH:
            break
    return LabelledOutcome(
        name=candidate.name,
        setting=setting,
        run_length=_finite(length),
        default=candidate.default,
        default_run_length=_finite(
            run_length(case.quiet, lambda: candidate.make(candidate.default))
        ),
        is_matched=length >= RUN_LENGTH,
        delays={
            name: median_delay(
                [delay(stream, case.n_before, lambda: candidate.make(setting)) for stream in rows]
            )
            for name, rows in case.shifted.items()
        },
    )


def run_length(streams: Labels, make: Callable[[], Update]) -> float:
    """Labels between alarms over all streams; a detector that alarmed begins anew."""
    n_alarms = 0
    for stream in streams.tolist():
        update = make()
        for true, predicted in stream:
            if update(true, predicted):
                n_alarms += 1
                update = make()
    return streams.shape[0] * streams.shape[1] / n_alarms if n_alarms else math.inf


def delay(stream: Labels, n_before: int, make: Callable[[], Update]) -> float:
    """Labels from the change to the first alarm, infinite for none; earlier alarms are false."""
    update = make()
    for place, (true, predicted) in enumerate(stream.tolist()):
        if update(true, predicted):
            if place >= n_before:
                return place - n_before + 1
            update = make()
    return math.inf


def median_delay(delays: Sequence[float]) -> float | None:
    return _finite(statistics.median(delays))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def save(case: Labelled, path: Path) -> None:
    shifted = {_SHIFT + name: rows for name, rows in case.shifted.items()}
    arrays: dict[str, Any] = {"quiet": case.quiet, "n_before": np.array(case.n_before), **shifted}
    np.savez(path, **arrays)


def load(path: Path) -> Labelled:
    with np.load(path) as arrays:
        return Labelled(
            quiet=arrays["quiet"],
            n_before=int(arrays["n_before"]),
            shifted={
                name.removeprefix(_SHIFT): arrays[name]
                for name in arrays.files
                if name.startswith(_SHIFT)
            },
        )


def make_case(
    actual: Labels,
    predicted: Labels,
    *,
    n_classes: int,
    n_quiet: int,
    n_shifted: int,
    length: int,
    seed: int,
    n_before: int = 1_000,
    block: int = 50,
) -> Labelled:
    """Block-resampled streams of real answers; shifts make further labels wrong.

    The error rate is doubled, tripled, or grows to four times itself over 4,000 labels.
    """
    rng = np.random.default_rng(seed)
    pairs = np.stack([actual, predicted], axis=1)
    rate = float((actual != predicted).mean())

    def draw(n: int) -> Labels:
        starts = rng.integers(len(pairs), size=-(-length // block) * n)
        rows = (starts[:, None] + np.arange(block)) % len(pairs)
        drawn: Labels = pairs[rows.reshape(n, -1)[:, :length]]
        return drawn

    def worsen(streams: Labels, times: float, ramp: int) -> Labels:
        changed = streams.copy()
        grown = np.minimum(np.arange(length - n_before) / ramp, 1) if ramp else 1.0
        wanted = rate * (times - 1) / (1 - rate) * grown
        hit = rng.random((len(streams), length - n_before)) < wanted
        turn = rng.integers(1, n_classes, size=hit.shape)
        after = changed[:, n_before:]
        # A wrong label instead of the right one; answers that were wrong already stay so.
        hit &= after[..., 0] == after[..., 1]
        after[..., 0] = np.where(hit, (after[..., 1] + turn) % n_classes, after[..., 0])
        return changed

    return Labelled(
        quiet=draw(n_quiet),
        shifted={
            "errors doubled": worsen(draw(n_shifted), 2, 0),
            "errors tripled": worsen(draw(n_shifted), 3, 0),
            "errors grow fourfold": worsen(draw(n_shifted), 4, 4_000),
        },
        n_before=n_before,
    )
