"""How far one process is with each model, and how often it has tried.

The reconciler's thread changes both; other threads read them, so what they read is replaced as a
whole.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from inference.swap.states import CannotServe, Identity, identity_of
from registry.specs import DesiredState, VersionSpec

MAX_TRIES = 3
RETRY_S = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Progress:
    """Generations of one model's routes, and why this process stays behind.

    `desired` and `committed` are what was last seen, `prepared` and `applied` how far it is itself;
    `failed` is the generation that cannot be prepared here (0: none).
    """

    desired: int = 0
    committed: int = 0
    prepared: int = 0
    applied: int = 0
    failed: int = 0
    reason: str = ""


class Board:
    """The progress by model; `failures` says why committed routes do not load."""

    def __init__(self) -> None:
        self.progress: dict[str, Progress] = {}
        self.failures: dict[str, str] = {}

    def see(self, desired: DesiredState) -> None:
        """Take note of what is asked for: readiness turns red for it before it is loaded."""
        self.progress = {
            model: replace(
                self.progress.get(model, Progress()),
                desired=routes.generation,
                committed=routes.committed_generation,
            )
            for model, routes in desired.models.items()
        }
        self.failures = {m: why for m, why in self.failures.items() if m in self.progress}

    def applied(self, model: str, generation: int) -> None:
        prepared = max(generation, self.progress[model].prepared)
        self._advance(model, applied=generation, prepared=prepared)
        self.failures = {m: why for m, why in self.failures.items() if m != model}

    def not_applied(self, model: str, why: str) -> None:
        self.failures = {**self.failures, model: why}

    def prepared(self, model: str, generation: int) -> None:
        self._advance(model, prepared=generation, failed=0, reason="")

    def not_prepared(self, model: str, generation: int, why: str) -> None:
        self._advance(model, failed=generation, reason=why)

    def pending(self) -> list[str]:
        """Models whose desired routes are not committed."""
        return [m for m, each in self.progress.items() if each.desired != each.committed]

    def prepared_generations(self) -> dict[str, int]:
        return {model: each.prepared for model, each in self.progress.items()}

    def applied_generations(self) -> dict[str, int]:
        return {model: each.applied for model, each in self.progress.items()}

    def reasons(self, lagging: Iterable[str]) -> list[str]:
        """Why this process should get no traffic; `lagging` models were committed elsewhere."""
        failures = self.failures
        found = [f"{model} does not load: {why}" for model, why in sorted(failures.items())]
        for model, each in sorted(self.progress.items()):
            if each.applied < each.committed and model not in failures:
                found.append(f"{model}: generation {each.committed} is not served here yet")
        for model in lagging:
            if model not in failures:
                found.append(f"{model}: this process is behind the committed generation")
        return found

    def waiting(self) -> list[str]:
        """Models whose desired routes are not committed, each with the reason."""
        progress = self.progress
        return [
            f"{model}: nothing of it answers yet ({progress[model].reason or 'it is prepared'})"
            for model in sorted(self.pending())
            if model in progress
        ]

    def states(
        self, versions: Mapping[str, list[dict[str, Any]]], asleep: Collection[str] = ()
    ) -> dict[str, Any]:
        """What the other replicas are told, by model; `versions` are the tracks' facts."""
        progress = self.progress
        return {
            model: {
                "prepared": progress.get(model, Progress()).prepared,
                "applied": progress.get(model, Progress()).applied,
                "failed": progress.get(model, Progress()).failed,
                "reason": progress.get(model, Progress()).reason,
                "asleep": model in asleep,
                "versions": versions.get(model, []),
            }
            for model in sorted(versions.keys() | progress.keys())
        }

    def _advance(self, model: str, **changes: Any) -> None:
        self.progress = {**self.progress, model: replace(self.progress[model], **changes)}


@dataclass(slots=True)
class _Try:
    generation: int
    n: int = 0
    not_before: float = 0.0
    is_over: bool = False


class Tries:
    """When a version may be tried (again) for a generation of its routes; a new one begins anew."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._tries: dict[Identity, _Try] = {}

    def may_try(self, spec: VersionSpec, generation: int) -> bool:
        known = self._tries.get(identity_of(spec))
        if known is None or known.generation < generation:
            known = self._tries[identity_of(spec)] = _Try(generation)
        return not known.is_over and self._clock() >= known.not_before

    def forget(self, spec: VersionSpec) -> None:
        """Begin anew, as after a success."""
        self._tries.pop(identity_of(spec), None)

    def failed(self, spec: VersionSpec, refusal: CannotServe, *, for_ever: bool = False) -> bool:
        """Note a failed try; True if there will be another, as there always is `for_ever`."""
        known = self._tries[identity_of(spec)]
        # A database that is away says nothing about the version.
        known.n += refusal.code != "database_unavailable"
        known.is_over = not for_ever and (refusal.is_final or known.n >= MAX_TRIES)
        known.not_before = self._clock() + RETRY_S[min(max(known.n, 1), len(RETRY_S)) - 1]
        return not known.is_over

    def is_over(self, specs: Iterable[VersionSpec]) -> bool:
        """Whether one of `specs` will not be tried again."""
        tries = [self._tries.get(identity_of(spec)) for spec in specs]
        return any(each is not None and each.is_over for each in tries)

    def is_due(self) -> bool:
        now = self._clock()
        return any(not each.is_over and now >= each.not_before for each in self._tries.values())

    def keep(self, needed: Collection[Identity]) -> None:
        """Forget versions that nothing asks for any more."""
        self._tries = {i: each for i, each in self._tries.items() if i in needed}
