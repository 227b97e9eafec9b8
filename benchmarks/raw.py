"""The bare forward pass: the live version of a home, by the server's own task and runtime, no HTTP.

    BELLWETHER_HOME=HOME python -m benchmarks.raw PLAN.json

prints one `Raw` as JSON. A process of its own, so that its threads and memory are nobody else's.
"""

import dataclasses
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import django
import msgspec

from benchmarks.stats import percentile
from inference.probing import answer, prepare
from inference.tasks.ports import flatten

if TYPE_CHECKING:
    from inference.predictor import Predictor

T = TypeVar("T")
BATCH_SIZES = (1, 4, 8, 16, 32, 64)
WARM_UP = 20
PATIENCE = 10


class RawPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`seconds` is the length of each measurement; see `in_turn`."""

    model: str
    texts: list[str]
    seconds: float
    seed: int


# About what a client takes between an answer and its next request here.
CLIENT_TURN_S = 0.001


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """How the cores are shared out: `n_lanes` passes at once, `n_threads` torch threads each.

    `pause_s` is slept before each single text, as a lane waits for the next client: caches and the
    core itself cool down then, which a loop without a pause never lets happen.
    """

    name: str
    n_lanes: int
    n_threads: int
    pause_s: float = 0.0


class BatchOne(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over texts, milliseconds; `total_ms` is the median of the sums."""

    layout: Layout
    tokenize_ms: float
    forward_ms: float
    decode_ms: float
    total_ms: float
    total_p95_ms: float


class Sorted(msgspec.Struct, frozen=True, kw_only=True):
    """Texts a second with texts sorted by length into batches: no server can reach it."""

    layout: Layout
    batch: int
    per_s: float


class Raw(msgspec.Struct, frozen=True, kw_only=True):
    """`labels` are the answers to the plan's texts, each run alone."""

    device: str
    n_tokens_mean: float
    batch_one: list[BatchOne]
    oracle: list[Sorted]
    labels: list[str]


def layouts(n_lanes: int, n_cores: int) -> tuple[Layout, Layout, Layout]:
    """Return a server's lane that runs alone, a lane with one core, and all lanes of the server."""
    return (
        Layout(name="a lane alone", n_lanes=1, n_threads=n_cores),
        Layout(name="one lane, one core", n_lanes=1, n_threads=1),
        Layout(name="all lanes", n_lanes=n_lanes, n_threads=max(1, n_cores // n_lanes)),
    )


def paced(layout: Layout) -> Layout:
    """Return `layout` with the pause between texts that a client's turn makes."""
    return Layout(
        name=f"{layout.name}, after pauses",
        n_lanes=layout.n_lanes,
        n_threads=layout.n_threads,
        pause_s=CLIENT_TURN_S,
    )


def sorted_batches(lengths: Sequence[int], size: int, seed: int) -> list[list[int]]:
    """Return all positions in batches of like length, the batches in a seeded order."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    batches = [order[at : at + size] for at in range(0, len(order), size)]
    random.Random(seed).shuffle(batches)
    return batches


def in_turn(
    items: Sequence[T], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> Iterator[T]:
    """Yield `items` in whole passes until `seconds` have gone: at least one pass, so that each
    item has its share, unless that takes PATIENCE times as long. Items come best shuffled.
    """
    started = clock()
    while True:
        for item in items:
            yield item
            if clock() >= started + PATIENCE * seconds:
                return
        if clock() >= started + seconds:
            return


def on_fresh_thread(work: Callable[[], T]) -> T:
    """Run `work` where no thread count has been set before: torch keeps it for each thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def load(plan: RawPlan, layout: Layout) -> "Predictor":
    """Load the live version as the server does, with the cores of `layout`."""
    from inference.predictor import Predictor
    from inference.runtimes.loading import load_placement
    from inference.runtimes.torch import TorchRuntime
    from inference.tasks.text_classification import TextClassification
    from registry.queries import load_live_version

    spec = load_live_version(plan.model)
    if spec is None:
        raise SystemExit(f"{plan.model} has no live version in this home")
    cores = layout.n_lanes * layout.n_threads
    placement = dataclasses.replace(load_placement(), n_cores=cores)
    task = TextClassification(spec.view, spec.labels)
    runtime = TorchRuntime(spec, placement, task.tokenizer.form)
    return Predictor(spec=spec, task=task, runtime=runtime)


def batch_one(predictor: "Predictor", layout: Layout, plan: RawPlan) -> BatchOne:
    """Measure tokenise, forward and decode of single texts."""
    times = on_fresh_thread(lambda: _time_stages(predictor, plan, layout.pause_s))
    stages = [sorted(stage) for stage in zip(*times, strict=True)]
    totals = sorted(sum(stage) for stage in times)
    tokenize, forward, decode = (percentile(stage, 0.5) * 1000 for stage in stages)
    return BatchOne(
        layout=layout,
        tokenize_ms=tokenize,
        forward_ms=forward,
        decode_ms=decode,
        total_ms=percentile(totals, 0.5) * 1000,
        total_p95_ms=percentile(totals, 0.95) * 1000,
    )


def _time_stages(
    predictor: "Predictor", plan: RawPlan, pause_s: float
) -> list[tuple[float, float, float]]:
    parameters = predictor.task.parameters_type()
    for text in plan.texts[:WARM_UP]:
        _time_one(predictor, text, parameters)
    times = []
    for text in in_turn(plan.texts, plan.seconds):
        if pause_s:
            time.sleep(pause_s)
        times.append(_time_one(predictor, text, parameters))
    return times


def _time_one(predictor: "Predictor", text: str, parameters: Any) -> tuple[float, float, float]:
    started = time.perf_counter()
    (prepared,) = predictor.task.encode([text], parameters, short=True)
    tokenized = time.perf_counter()
    outputs = predictor.forward(prepared.pieces)
    ran = time.perf_counter()
    predictor.task.decode(prepared, outputs, parameters)
    return tokenized - started, ran - tokenized, time.perf_counter() - ran


def oracle(predictor: "Predictor", layout: Layout, plan: RawPlan) -> list[Sorted]:
    """Measure every batch size, texts tokenised and sorted beforehand: only forward passes run."""
    encoded = flatten(prepare(predictor, plan.texts))
    lengths = [each.n_tokens for each in encoded]
    found = []
    for size in BATCH_SIZES:
        batches = [
            [encoded[place] for place in batch]
            for batch in sorted_batches(lengths, size, plan.seed)
        ]
        per_s = _texts_per_s(predictor, layout, batches, plan)
        found.append(Sorted(layout=layout, batch=size, per_s=per_s))
    return found


def _texts_per_s(
    predictor: "Predictor", layout: Layout, batches: list[list[Any]], plan: RawPlan
) -> float:
    """Lanes take the next batch in turn, as in the server."""
    with ThreadPoolExecutor(layout.n_lanes) as lanes:
        barrier = threading.Barrier(layout.n_lanes, timeout=60)

        def run_lane(todo: "Shared[list[Any]]") -> int:
            barrier.wait()
            n = 0
            for batch in todo:
                predictor.forward(batch)
                n += len(batch)
            return n

        def run(todo: Iterable[list[Any]]) -> int:
            shared = Shared(todo)
            jobs = [lanes.submit(run_lane, shared) for _ in range(layout.n_lanes)]
            return sum(job.result() for job in jobs)

        run(batches[: layout.n_lanes])
        started = time.perf_counter()
        n_texts = run(in_turn(batches, plan.seconds))
        return n_texts / (time.perf_counter() - started)


class Shared(Generic[T]):
    """An iterator that several threads may step: each item reaches one of them."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items, self._lock = iter(items), threading.Lock()

    def __iter__(self) -> "Shared[T]":
        return self

    def __next__(self) -> T:
        with self._lock:
            return next(self._items)


def measure(plan: RawPlan) -> Raw:
    from inference.runtimes.loading import load_batch_shape, n_cores, shorten_spinning

    shorten_spinning()
    shapes = layouts(load_batch_shape().n_lanes, n_cores())
    predictors = [load(plan, layout) for layout in shapes]
    alone = predictors[0]
    lengths = [each.n_tokens for each in prepare(alone, plan.texts)]
    singles = ((alone, shapes[0]), (predictors[1], shapes[1]), (alone, paced(shapes[0])))
    return Raw(
        device=alone.runtime.device,
        n_tokens_mean=sum(lengths) / len(lengths),
        batch_one=[batch_one(predictor, layout, plan) for predictor, layout in singles],
        oracle=[
            row
            for predictor, layout in zip(predictors, shapes, strict=True)
            for row in oracle(predictor, layout, plan)
        ],
        labels=on_fresh_thread(lambda: _labels(alone, plan.texts)),
    )


def _labels(predictor: "Predictor", texts: Sequence[str]) -> list[str]:
    return [answer(predictor, [text])[0].label for text in texts]


def main() -> None:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=RawPlan)
    django.setup()
    sys.stdout.buffer.write(msgspec.json.encode(measure(plan)))


if __name__ == "__main__":
    main()
