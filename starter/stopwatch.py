"""Seconds spent in each stage of a long script."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Stopwatch:
    """Seconds spent in each stage, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Announce a stage and record how long it took."""
        print(f"[{name}] …", flush=True)
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 1)
        print(f"[{name}] {self.seconds[name]} s", flush=True)

    def remember(self, path: Path, name: str) -> None:
        """Let a stage whose result comes from an earlier run count as it did then."""
        if path.is_file():
            self.seconds[name] = json.loads(path.read_text(encoding="utf-8"))["seconds"]
        else:
            path.write_text(json.dumps({"seconds": self.seconds[name]}), encoding="utf-8")
