"""Evidently's embedding methods, called directly: `Report` would draw a t-SNE for each run."""

from collections.abc import Callable

import pandas as pd
from evidently.legacy.metrics.data_drift.embedding_drift_methods import (
    DistanceDriftMethod,
    DriftMethod,
    MMDDriftMethod,
    ModelDriftMethod,
    RatioDriftMethod,
)

from benchmarks.drift.cases import Case, Rows
from benchmarks.drift.peers.runner import HEAVIEST, LIGHT, OWN_RULE_ONLY, STRONGEST, run
from benchmarks.drift.racing import Judge, Method, Score


def methods(case: Case) -> list[Method]:
    def fit(method: DriftMethod) -> Callable[[Rows, int], Judge]:
        def fitted(reference: Rows, _window: int) -> Judge:
            before = pd.DataFrame(case.embeddings[reference])

            def judge(rows: Rows) -> Score:
                # Copies: the model method adds a column to what it is given.
                value, is_drift, _ = method(pd.DataFrame(case.embeddings[rows]), before.copy())
                return Score(float(value), bool(is_drift))

            return judge

        return fitted

    return [
        Method("Evidently distance", fit(DistanceDriftMethod()), LIGHT),
        Method("Evidently MMD", fit(MMDDriftMethod()), OWN_RULE_ONLY, (200,)),
        Method(
            "Evidently model (default)", fit(ModelDriftMethod(bootstrap=True)), STRONGEST, (200,)
        ),
        Method("Evidently ratio", fit(RatioDriftMethod()), HEAVIEST, (200,)),
        Method(
            "Evidently distance, bootstrap",
            fit(DistanceDriftMethod(bootstrap=True)),
            OWN_RULE_ONLY,
            windows=(200,),
        ),
        Method(
            "Evidently MMD, bootstrap",
            fit(MMDDriftMethod(bootstrap=True)),
            OWN_RULE_ONLY,
            windows=(200,),
        ),
    ]


if __name__ == "__main__":
    run(methods)
