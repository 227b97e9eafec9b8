"""What this process serves right now: one table, read by requests, replaced as a whole by the
reconciler.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inference import routing
from inference.errors import ModelNotReady, QueueFull, VersionNotLoaded
from inference.predictor import Predictor
from inference.routing import UNSTEERED, Steering
from registry.errors import ModelNotFound
from registry.specs import Stickiness, VersionSpec

# Requests that wait for models that are being loaded, all together.
MAX_WAITING = 1_024
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class LiveRoute:
    """A share of a model's traffic, with the predictor that answers it."""

    predictor: Predictor
    weight: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a model could not be loaded when it was asked for; tried again after `until`."""

    reason: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """What this process holds of one model: `live` answers (stable first), `shadows` get copies,
    `standby` stays in memory so that a roll-back needs no loading. `generation` is that of the
    routes: it rises when somebody routes anew.

    Of a model that sleeps nothing is in memory until somebody asks it; `asleep` is the stable
    version that will answer then, `trouble` why the last try failed. One that `is_pinned` never
    makes room for others.
    """

    live: tuple[LiveRoute, ...] = ()
    shadows: tuple[LiveRoute, ...] = ()
    standby: tuple[Predictor, ...] = ()
    salt: str = ""
    stickiness: Stickiness = Stickiness.KEY
    generation: int = -1
    asleep: VersionSpec | None = None
    trouble: Trouble | None = None
    is_pinned: bool = False

    @property
    def spec(self) -> VersionSpec | None:
        """The stable version, in memory or asleep; None where neither is."""
        return self.live[0].predictor.spec if self.live else self.asleep

    def specs(self) -> list[VersionSpec]:
        """Every version in memory, and the one that sleeps."""
        here = [predictor.spec for predictor in (*self.predictors(), *self.standby)]
        return [*here, self.asleep] if self.asleep else here

    def choose(
        self, key_id: str, *, request_id: str = "", steering: Steering = UNSTEERED
    ) -> Predictor:
        """Return the predictor that answers: the pinned one, or that of the caller's bucket.

        A caller is its route key, else its API key; where each request is drawn anew, or there is
        neither, it is the request. Raises VersionNotLoaded for a pin that is not in memory.
        """
        if steering.pin is not None:
            return self._pinned(steering.pin)
        if len(self.live) == 1:
            return self.live[0].predictor
        key = steering.route_key
        if not key and self.stickiness is Stickiness.KEY:
            key = key_id
        return routing.choose(self.live, routing.bucket(key or request_id, self.salt)).predictor

    def _pinned(self, number: int) -> Predictor:
        here = {p.spec.number: p for p in (*self.predictors(), *self.standby)}
        if number not in here:
            loaded = sorted(here)
            raise VersionNotLoaded(
                f"Version {number} is not in memory here; pin one of "
                f"{', '.join(map(str, loaded))}, or leave X-Model-Pin out.",
                details={"version": number, "loaded": loaded},
            )
        return here[number]

    def predictors(self) -> list[Predictor]:
        return [route.predictor for route in (*self.live, *self.shadows)]


NOTHING_LOADED = ServedModel()


@dataclass(frozen=True, slots=True)
class Table:
    """What is served by model name as of a registry generation; a model with nothing live is known,
    and not served.
    """

    generation: int = -1
    models: dict[str, ServedModel] = field(default_factory=dict)

    def predictors(self) -> list[Predictor]:
        """Every predictor that gets traffic, copies included."""
        return [each for model in self.models.values() for each in model.predictors()]

    def answering(self) -> list[Predictor]:
        """Every predictor whose answers callers see."""
        return [route.predictor for model in self.models.values() for route in model.live]


class Serving:
    """Holds the table. A request that has chosen its predictor keeps it whatever is swapped
    meanwhile.

    `used_at` says when each model was last asked, by `clock` (monotonic seconds). Requests wish for
    models that sleep, and dismiss others; the reconciler takes both.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.table = Table()
        self.used_at: dict[str, float] = {}
        self._wishes: set[str] = set()
        self._dismissals: set[str] = set()
        self._clock = clock
        self._n_waiting = 0

    def announce(self, models: Iterable[str]) -> None:
        """Make new models known before they load: until then they are not ready, not missing."""
        unknown = dict.fromkeys(models, NOTHING_LOADED)
        self.table = Table(self.table.generation, unknown | self.table.models)

    def choose(self, model: str, key_id: str) -> Predictor:
        """Return the predictor that answers `model` for a caller; raises as `find` does."""
        return self.find(model).choose(key_id)

    def look(self, model: str) -> ServedModel:
        """Return what is held of `model`, be it nothing; raises ModelNotFound for a name nobody
        registered.
        """
        table = self.table
        served = table.models.get(model, NOTHING_LOADED if table.generation < 0 else None)
        if served is None:
            raise ModelNotFound(
                f"There is no model named {model!r} here. GET /api/v1/models lists the models.",
                details={"model": model},
            )
        return served

    def spec_of(self, model: str) -> VersionSpec:
        """The stable version of `model`, in memory or asleep; raises ModelNotFound, or
        ModelNotReady where there is none.
        """
        spec = self.look(model).spec
        if spec is None:
            raise not_ready(model)
        return spec

    def find(self, model: str) -> ServedModel:
        """Return what is held of `model`, with something live; wakes nobody.

        Raises ModelNotFound for a name nobody registered, ModelNotReady when none of it is loaded.
        """
        served = self.look(model)
        if not served.live:
            raise _asleep(model) if served.asleep else not_ready(model)
        self.used_at[model] = self._clock()
        return served

    async def awake(self, model: str, timeout_s: float) -> ServedModel:
        """As `find`, but wait for a model that sleeps until it is loaded, at most `timeout_s`.

        Raises ModelNotReady when that takes longer or fails, QueueFull where too many wait.
        """
        served = self.look(model)
        if served.live or not served.asleep:
            return self.find(model)
        if self._n_waiting >= MAX_WAITING:
            raise QueueFull(
                f"{self._n_waiting} requests wait for models to be loaded. Try again later.",
                retry_after_s=1,
            )
        self._n_waiting += 1
        try:
            return await self._woken(model, self._clock() + timeout_s)
        finally:
            self._n_waiting -= 1

    async def _woken(self, model: str, deadline: float) -> ServedModel:
        while True:
            served, now = self.look(model), self._clock()
            if served.live or not served.asleep:
                return self.find(model)
            if served.trouble and now < served.trouble.until:
                raise ModelNotReady(
                    f"{model} is asleep and cannot be loaded now: {served.trouble.reason}.",
                    details={"model": model},
                    retry_after_s=max(1, round(served.trouble.until - now)),
                )
            if now >= deadline:
                raise _asleep(model)
            # Each time: whoever took the wish before may have made room for another since.
            self._wishes.add(model)
            await asyncio.sleep(POLL_S)

    def dismiss(self, model: str) -> None:
        """Have `model` sleep soon, unless it is pinned or in use."""
        self._dismissals.add(model)

    @property
    def has_wishes(self) -> bool:
        """Whether there is something to take."""
        return bool(self._wishes or self._dismissals)

    def take_wishes(self) -> set[str]:
        """The sleeping models that requests wait for now; those that still wait wish again."""
        taken, self._wishes = self._wishes, set()
        return taken

    def take_dismissals(self) -> set[str]:
        """The models that shall sleep."""
        taken, self._dismissals = self._dismissals, set()
        return taken


def not_ready(model: str) -> ModelNotReady:
    """The error for a model of which nothing serves."""
    return ModelNotReady(
        f"No version of {model} is loaded. Promote one, or wait if that was done just now.",
        details={"model": model},
        retry_after_s=1,
    )


def _asleep(model: str) -> ModelNotReady:
    return ModelNotReady(
        f"{model} was asleep and is being loaded. Ask again, or pin it to keep it in memory.",
        details={"model": model},
        retry_after_s=1,
    )
