"""What this process serves right now: one table, read by requests, replaced as a whole by the
reconciler.
"""

from dataclasses import dataclass, field

from inference import routing
from inference.errors import ModelNotReady
from inference.predictor import Predictor
from registry.errors import ModelNotFound


@dataclass(frozen=True, slots=True)
class LiveRoute:
    """A share of a model's traffic, with the predictor that answers it."""

    predictor: Predictor
    weight: int


@dataclass(frozen=True, slots=True)
class Table:
    """Routes by model name as of a registry generation; a model without routes is known, and not
    served.
    """

    generation: int = -1
    routes: dict[str, tuple[LiveRoute, ...]] = field(default_factory=dict)

    def predictors(self) -> list[Predictor]:
        return [route.predictor for routes in self.routes.values() for route in routes]


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
        routes = self.table.routes.get(model, () if self.table.generation < 0 else None)
        if routes is None:
            raise ModelNotFound(
                f"There is no model named {model!r} here. GET /api/v1/models lists the models.",
                details={"model": model},
            )
        if not routes:
            raise ModelNotReady(
                f"No version of {model} is loaded. Promote one, or wait if that was done just now.",
                details={"model": model},
                retry_after_s=1,
            )
        if len(routes) == 1:
            return routes[0].predictor
        return routing.choose(routes, routing.bucket(sticky_key, model)).predictor
