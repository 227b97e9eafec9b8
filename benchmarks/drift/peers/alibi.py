"""Alibi-Detect's offline detectors on embeddings, and its KS on the model's probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from alibi_detect.cd import ClassifierDrift, KSDrift, LSDDDrift, MMDDrift
from sklearn.linear_model import LogisticRegression

from benchmarks.drift.cases import Case, Floats, Rows
from benchmarks.drift.peers.runner import HEAVY, LIGHT, MEDIUM, OWN_RULE_ONLY, run
from benchmarks.drift.racing import Judge, Method, Score

Make = Callable[[Floats], Any]
Read = Callable[[dict[str, Any]], float]


def _distance(data: dict[str, Any]) -> float:
    return float(data["distance"])


def _smallest_p(data: dict[str, Any]) -> float:
    return -float(np.log10(np.maximum(np.min(data["p_val"]), 1e-300)))


def methods(case: Case) -> list[Method]:
    torch.set_num_threads(1)

    def fit(
        values: Floats, make: Make, read: Read, has_rule: bool = True
    ) -> Callable[[Rows, int], Judge]:
        def fitted(reference: Rows, _window: int) -> Judge:
            torch.manual_seed(0)
            detector = make(values[reference])

            def judge(rows: Rows) -> Score:
                data = detector.predict(values[rows])["data"]
                return Score(read(data), bool(data["is_drift"]) if has_rule else None)

            return judge

        return fitted

    vectors, probabilities = case.embeddings, case.probabilities

    def mmd(n_permutations: int) -> Make:
        return lambda x: MMDDrift(x, backend="pytorch", n_permutations=n_permutations)

    def classifier(x: Floats) -> Any:
        model = LogisticRegression(max_iter=200)
        return ClassifierDrift(x, model, backend="sklearn", n_folds=5)

    def lsdd(x: Floats) -> Any:
        return LSDDDrift(x, backend="pytorch", n_permutations=1)

    return [
        Method("Alibi KS on probabilities", fit(probabilities, KSDrift, _smallest_p), LIGHT),
        # Permutations only make the p-value, which one of them cannot; delays are found from the
        # distance.
        Method("Alibi MMD", fit(vectors, mmd(1), _distance, False), MEDIUM, windows=(200,)),
        Method("Alibi MMD", fit(vectors, mmd(1), _distance, False), HEAVY, windows=(1000,)),
        Method("Alibi LSDD", fit(vectors, lsdd, _distance, False), HEAVY, windows=(200,)),
        Method(
            "Alibi KS on embeddings",
            fit(vectors, KSDrift, _smallest_p),
            OWN_RULE_ONLY,
            windows=(200,),
        ),
        Method(
            "Alibi classifier", fit(vectors, classifier, _distance), OWN_RULE_ONLY, windows=(200,)
        ),
        Method(
            "Alibi MMD, 100 permutations",
            fit(vectors, mmd(100), _distance),
            OWN_RULE_ONLY,
            windows=(200,),
        ),
    ]


if __name__ == "__main__":
    run(methods)
