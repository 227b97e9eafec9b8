"""NannyML's two multivariate calculators and its univariate one on the model's probabilities."""

import os

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

from collections.abc import Callable
from typing import Any

import pandas as pd
from nannyml import (
    DataReconstructionDriftCalculator,
    DomainClassifierCalculator,
    UnivariateDriftCalculator,
)

from benchmarks.drift.cases import Case, Floats, Rows
from benchmarks.drift.peers.runner import MEDIUM, run
from benchmarks.drift.racing import Effort, Judge, Method, Score

Make = Callable[[list[str], int], Any]
# Each chunk of the reference is compared with all of it when the calculator is fitted.
CHUNK = 1000


def methods(case: Case) -> list[Method]:
    def fit(values: Floats, make: Make, family: str) -> Callable[[Rows, int], Judge]:
        columns = [f"c{number}" for number in range(values.shape[1])]

        def fitted(reference: Rows, window: int) -> Judge:
            calculator = make(columns, window)
            calculator.fit(pd.DataFrame(values[reference], columns=columns))

            def judge(rows: Rows) -> Score:
                found = calculator.calculate(pd.DataFrame(values[rows], columns=columns))
                last = found.filter(period="analysis").to_df().iloc[-1]
                shown = [last[key] for key in last.index if key[-1] == "value" and family in key]
                alerts = [last[key] for key in last.index if key[-1] == "alert" and family in key]
                return Score(max(map(float, shown)), any(map(bool, alerts)))

            return judge

        return fitted

    def domain(columns: list[str], _window: int) -> Any:
        return DomainClassifierCalculator(feature_column_names=columns, chunk_size=CHUNK)

    def reconstruction(columns: list[str], window: int) -> Any:
        return DataReconstructionDriftCalculator(column_names=columns, chunk_size=window)

    def univariate(columns: list[str], window: int) -> Any:
        return UnivariateDriftCalculator(
            column_names=columns,
            continuous_methods=["kolmogorov_smirnov"],
            chunk_size=window,
        )

    return [
        Method(
            "NannyML reconstruction",
            fit(case.embeddings, reconstruction, "reconstruction_error"),
            MEDIUM,
        ),
        Method(
            "NannyML KS on probabilities",
            fit(case.probabilities, univariate, "kolmogorov_smirnov"),
            MEDIUM,
        ),
        Method(
            "NannyML domain classifier",
            fit(case.embeddings, domain, "domain_classifier_auroc"),
            Effort(2, 0, n_asked=2),
            windows=(200,),
        ),
    ]


if __name__ == "__main__":
    run(methods)
