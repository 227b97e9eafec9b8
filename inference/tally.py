"""What each version has done in this process since it started. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.calls import Timing
from inference.gathering import Gathered
from registry.specs import VersionSpec


@dataclass(slots=True)
class VersionTally:
    """Calls, inputs and forward passes; seconds are sums over calls. `n_cached` of the inputs ran
    through no pass of their own.

    A pass that several calls share counts for each by its share of the rows, so that the sum over
    all of them is the number of passes. `last_at` is the time of the last answer, 0 for none.
    """

    n_answered: int = 0
    n_failed: int = 0
    n_inputs: int = 0
    n_cached: int = 0
    n_passes: float = 0.0
    answered_s: float = 0.0
    failed_s: float = 0.0
    tokenize_s: float = 0.0
    queue_s: float = 0.0
    inference_s: float = 0.0
    last_at: float = 0.0


class Tally:
    """Counts by version; only the event loop's thread writes."""

    def __init__(self) -> None:
        self._by_version: dict[tuple[str, int], VersionTally] = {}

    def of(self, spec: VersionSpec) -> VersionTally:
        return self._by_version.setdefault((spec.model, spec.number), VersionTally())

    def answered(
        self,
        spec: VersionSpec,
        gathered: Sequence[Gathered],
        timing: Timing,
        *,
        at: float,
    ) -> None:
        """Count one answered call."""
        own = self.of(spec)
        own.n_answered += 1
        own.n_inputs += len(gathered)
        own.n_cached += sum(each.is_cached for each in gathered)
        own.n_passes += sum(each.n_passes for each in gathered)
        own.answered_s += timing.total_s
        own.tokenize_s += timing.tokenize_s
        own.queue_s += timing.queue_s
        own.inference_s += timing.inference_s
        own.last_at = at

    def failed(self, spec: VersionSpec, seconds: float) -> None:
        own = self.of(spec)
        own.n_failed += 1
        own.failed_s += seconds
