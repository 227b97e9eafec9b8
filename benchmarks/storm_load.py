"""Clients who check every answer against the version that it names, until told to stop.

    python -m benchmarks.storm_load PLAN.json      (ends when its standard input does)

prints one `StormLoad` as JSON.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from benchmarks.load import Plan, Run, keep_connected

TOLERANCE = 1e-3


class Golden(msgspec.Struct, frozen=True):
    """What a version answers to one text when nothing else goes on."""

    label: str
    score: float


class StormPlan(msgspec.Struct, frozen=True, kw_only=True):
    """`golden` maps a version to its answers, in the order of the plan's bodies."""

    plan: Plan
    golden: dict[str, list[Golden]]


class StormLoad(msgspec.Struct, frozen=True, kw_only=True):
    """`answers` are [second of the machine's monotonic clock, seconds it took] for status 200."""

    statuses: dict[str, int]
    n_wrong: int
    wrong: list[str]
    by_version: dict[str, int]
    answers: list[tuple[float, float]]


class _Prediction(msgspec.Struct):
    label: str
    score: float


class _Answer(msgspec.Struct):
    version: int
    predictions: list[_Prediction]


class StormRun(Run):
    """Counts as other runs do, and reads what the answers say."""

    def __init__(self, plan: Plan, golden: Mapping[str, list[Golden]]) -> None:
        super().__init__(plan)
        self.golden = golden
        self.n_wrong = 0
        self.wrong: list[str] = []
        self.by_version: Counter[str] = Counter()
        self.answers: list[tuple[float, float]] = []
        self._decoder = msgspec.json.Decoder(_Answer)

    def answered(self, index: int, status: bytes, answer: bytes, sent_at: float) -> None:
        now = time.perf_counter()
        self.statuses[status.decode("ascii", "replace")] += 1
        if status != b"200":
            return
        self.answers.append((now, now - sent_at))
        said = self._decoder.decode(answer[answer.index(b"\r\n\r\n") + 4 :])
        version, (prediction,) = str(said.version), said.predictions
        self.by_version[version] += 1
        expected = self.golden[version][index]
        is_right = prediction.label == expected.label
        if not is_right or abs(prediction.score - expected.score) > TOLERANCE:
            self.n_wrong += 1
            self.wrong.append(f"v{version}, text {index}: {prediction} instead of {expected}")


async def run_storm(storm: StormPlan) -> StormLoad:
    """Ask until standard input ends; return what came back."""
    run = StormRun(storm.plan, storm.golden)
    clients = [asyncio.create_task(keep_connected(run)) for _ in range(storm.plan.clients)]
    await asyncio.to_thread(sys.stdin.buffer.read)
    run.ends_at = time.perf_counter()
    await asyncio.wait(clients, timeout=30)
    return StormLoad(
        statuses=dict(run.statuses),
        n_wrong=run.n_wrong,
        wrong=run.wrong[:10],
        by_version=dict(run.by_version),
        answers=run.answers,
    )


def main() -> None:
    storm = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=StormPlan)
    import uvloop

    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(run_storm(storm))))


if __name__ == "__main__":
    main()
