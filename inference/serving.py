"""What this process serves right now: one table, read by requests, replaced as a whole by the
reconciler.
"""

from dataclasses import dataclass, field

from inference import routing
from inference.errors import ModelNotReady, VersionNotLoaded
from inference.predictor import Predictor
from inference.routing import UNSTEERED, Steering
from registry.errors import ModelNotFound
from registry.specs import Stickiness


@dataclass(frozen=True, slots=True)
class LiveRoute:
    """A share of a model's traffic, with the predictor that answers it."""

    predictor: Predictor
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """What this process holds of one model: `live` answers (stable first), `shadows` get copies,
    `standby` stays in memory so that a roll-back needs no loading. `generation` is that of the
    routes: it rises when somebody routes anew.
    """

    live: tuple[LiveRoute, ...] = ()
    shadows: tuple[LiveRoute, ...] = ()
    standby: tuple[Predictor, ...] = ()
    salt: str = ""
    stickiness: Stickiness = Stickiness.KEY
    generation: int = -1

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
    """

    def __init__(self) -> None:
        self.table = Table()

    def choose(self, model: str, key_id: str) -> Predictor:
        """Return the predictor that answers `model` for a caller; raises as `find` does."""
        return self.find(model).choose(key_id)

    def find(self, model: str) -> ServedModel:
        """Return what is held of `model`, with something live.

        Raises ModelNotFound for a name nobody registered, ModelNotReady when none of it is loaded.
        """
        table = self.table
        served = table.models.get(model, NOTHING_LOADED if table.generation < 0 else None)
        if served is None:
            raise ModelNotFound(
                f"There is no model named {model!r} here. GET /api/v1/models lists the models.",
                details={"model": model},
            )
        if not served.live:
            raise ModelNotReady(
                f"No version of {model} is loaded. Promote one, or wait if that was done just now.",
                details={"model": model},
                retry_after_s=1,
            )
        return served
