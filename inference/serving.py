"""What this process serves right now: one table, read by requests, replaced as a whole by the
reconciler.
"""

from dataclasses import dataclass, field

from inference import routing
from inference.errors import ModelNotReady
from inference.predictor import Predictor
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
    `standby` stays in memory so that a roll-back needs no loading.
    """

    live: tuple[LiveRoute, ...] = ()
    shadows: tuple[LiveRoute, ...] = ()
    standby: tuple[Predictor, ...] = ()
    salt: str = ""
    stickiness: Stickiness = Stickiness.KEY

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


class Serving:
    """Holds the table. A request that has chosen its predictor keeps it whatever is swapped
    meanwhile.
    """

    def __init__(self) -> None:
        self.table = Table()

    def choose(self, model: str, sticky_key: str) -> Predictor:
        """Return the predictor that answers `model` for `sticky_key`.

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
        if len(served.live) == 1:
            return served.live[0].predictor
        return routing.choose(served.live, routing.bucket(sticky_key, served.salt)).predictor
