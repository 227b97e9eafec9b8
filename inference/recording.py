"""The Recorder port: where answered predictions go."""

from collections.abc import Sequence
from typing import Protocol

from inference.records import PredictionRecord


class Recorder(Protocol):
    """Keeps records durably before their answers leave."""

    def record(self, records: Sequence[PredictionRecord]) -> None:
        """Keep all of `records` or raise OSError; returning means that a killed process loses
        none.
        """


class MemoryRecorder:
    """Keeps records in a list: for tests and benchmarks."""

    def __init__(self) -> None:
        self.records: list[PredictionRecord] = []

    def record(self, records: Sequence[PredictionRecord]) -> None:
        self.records.extend(records)
