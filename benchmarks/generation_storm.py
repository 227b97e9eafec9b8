"""What 32 streams of text cost a classifier that serves beside them, in one process.

    python -m benchmarks.generation_storm

The starter model is asked for single sentences by four clients: alone, then while 32 clients each
keep one greedy stream of a GPT-2 of random weights going. Everything passes through the service
(tokenise, queue, batches, decode, record), without HTTP. No request may fail.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.machine import describe, load_machine
from benchmarks.stats import percentile

N_CLIENTS, N_STREAMS, N_TOKENS = 4, 32, 32
CLASSIFIER, WRITER = "bench/classifier", "bench/writer"
TEXT = "I did not expect to like this film, but it is wonderful."
PROMPT = " ".join(f"w{n}" for n in range(24))


class Phase(msgspec.Struct, frozen=True, kw_only=True):
    """The classifier's times in milliseconds, and what the streams made meanwhile."""

    n_answers: int
    p50_ms: float
    p99_ms: float
    n_streams: int
    tokens_per_s: float


class Storm:
    """Two models in one process."""

    def __init__(self, folder: Path) -> None:
        from benchmarks.generation import save_writer
        from inference.engine.engine import Engine
        from inference.engine.limits import EngineLimits
        from inference.recording import MemoryRecorder
        from inference.runtimes.loading import load_batch_shape, load_predictor
        from inference.service import Service
        from inference.serving import LiveRoute, ServedModel, Serving, Table

        save_writer(folder)
        starter = Path(__file__).resolve().parents[1] / "starter" / "model"
        specs = (
            _spec(CLASSIFIER, "text-classification", starter, ("NEGATIVE", "POSITIVE")),
            _spec(WRITER, "text-generation", folder, ()),
        )
        serving, shape = Serving(), load_batch_shape()
        models = {
            spec.model: ServedModel(live=(LiveRoute(load_predictor(spec), 100),)) for spec in specs
        }
        serving.table = Table(0, models)
        limits = EngineLimits(n_lanes=shape.n_lanes, max_batch=shape.max_batch)
        self.engine: Engine = Engine(limits)
        self.recorder = MemoryRecorder()
        self.service = Service(serving, self.engine, self.recorder)
        self._n_asked = 0

    async def phase(self, seconds: float, *, n_streams: int) -> Phase:
        ends_at = time.perf_counter() + seconds
        self.recorder.records.clear()
        streams = [asyncio.create_task(self._stream(ends_at)) for _ in range(n_streams)]
        if streams:
            await asyncio.sleep(0.5)
        times = [
            each
            for client in await asyncio.gather(*(self._ask(ends_at) for _ in range(N_CLIENTS)))
            for each in client
        ]
        tokens = sum(await asyncio.gather(*streams))
        times.sort()
        return Phase(
            n_answers=len(times),
            p50_ms=round(percentile(times, 0.5) * 1000, 2),
            p99_ms=round(percentile(times, 0.99) * 1000, 2),
            n_streams=n_streams,
            tokens_per_s=round(tokens / seconds, 1),
        )

    async def _ask(self, ends_at: float) -> list[float]:
        times = []
        while (started := time.perf_counter()) < ends_at:
            # Every text is another one, or one pass would answer several clients.
            self._n_asked += 1
            await self.service.predict(self._call(CLASSIFIER, f"{TEXT} {self._n_asked}", {}))
            times.append(time.perf_counter() - started)
        return times

    async def _stream(self, ends_at: float) -> int:
        from inference.generation.events import TokenEvent
        from inference.streams import stream

        n_tokens, asked = 0, {"max_new_tokens": N_TOKENS, "do_sample": False}
        while time.perf_counter() < ends_at:
            async for told in stream(self.service, self._call(WRITER, PROMPT, asked)):
                n_tokens += isinstance(told, TokenEvent)
        return n_tokens

    def _call(self, model: str, text: str, parameters: dict[str, Any]) -> Any:
        from inference.calls import Call

        return Call(
            model=model,
            inputs=(text,),
            parameters=msgspec.Raw(msgspec.json.encode(parameters)),
            request_id="storm",
            dialect="bench",
            key_id="bench",
        )


def _spec(model: str, task: str, view: Path, labels: tuple[str, ...]) -> Any:
    from registry.specs import Pooling, VersionSpec

    return VersionSpec(
        model=model,
        number=1,
        digest=f"{model:0<64}",
        task=task,
        labels=labels,
        pooling=Pooling.MEAN,
        view=view,
        n_bytes=1,
    )


async def _run(storm: Storm, seconds: float, rounds: int) -> list[tuple[Phase, Phase]]:
    await storm.phase(1.0, n_streams=2)
    return [
        (
            await storm.phase(seconds, n_streams=0),
            await storm.phase(seconds, n_streams=N_STREAMS),
        )
        for _ in range(rounds)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both phases of every round and the ratio of their p99; a failed request ends it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from config.server import SWITCH_INTERVAL_S
    from inference.runtimes.loading import shorten_spinning

    # As `manage.py serve` does both.
    shorten_spinning()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    machine = load_machine()
    print("\n".join(describe(machine)))
    with tempfile.TemporaryDirectory() as folder:
        storm = Storm(Path(folder))
        storm.engine.start()
        try:
            found = asyncio.run(_run(storm, chosen.seconds, chosen.rounds))
        finally:
            storm.engine.close(10)
            storm.service.close()
    for alone, beside in found:
        print(f"alone:  {msgspec.json.encode(alone).decode()}")
        print(f"beside: {msgspec.json.encode(beside).decode()}")
        print(f"p99 beside / alone: {beside.p99_ms / alone.p99_ms:.2f}", flush=True)
    if chosen.json:
        rows = [msgspec.to_builtins(each) for each in found]
        chosen.json.write_text(json.dumps({"machine": describe(machine), "rounds": rows}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
