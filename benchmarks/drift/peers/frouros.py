"""frouros: MMD at the median bandwidth, and Kolmogorov-Smirnov on the model's probabilities."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from frouros.callbacks import PermutationTestDistanceBased
from frouros.detectors.data_drift import MMD, KSTest
from frouros.utils.kernels import rbf_kernel

from benchmarks.drift.cases import Case, Rows
from benchmarks.drift.peers.runner import HEAVY, LIGHT, run
from benchmarks.drift.racing import Effort, Judge, Method, Score

N_PAIRS = 500
LEVEL = 0.05
N_PERMUTATIONS = 100


def methods(case: Case) -> list[Method]:
    def mmd(reference: Rows, _window: int, callbacks: list[object] | None = None) -> MMD:
        before = case.embeddings[reference].astype(np.float64)
        kernel = partial(rbf_kernel, sigma=_median_distance(before))
        detector = MMD(kernel=kernel, callbacks=callbacks)
        detector.fit(X=before)
        return detector

    def by_distance(reference: Rows, window: int) -> Judge:
        detector = mmd(reference, window)

        def judge(rows: Rows) -> Score:
            found, _ = detector.compare(X=case.embeddings[rows].astype(np.float64))
            return Score(float(found.distance))

        return judge

    def by_permutations(reference: Rows, window: int) -> Judge:
        test = PermutationTestDistanceBased(
            num_permutations=N_PERMUTATIONS, num_jobs=1, method="conservative", random_state=0
        )
        detector = mmd(reference, window, [test])

        def judge(rows: Rows) -> Score:
            found, log = detector.compare(X=case.embeddings[rows].astype(np.float64))
            p = log["PermutationTestDistanceBased"]["p_value"]
            return Score(float(found.distance), bool(p < LEVEL))

        return judge

    return [
        Method("frouros MMD", by_distance, HEAVY, windows=(200,)),
        Method("frouros KS on probabilities", _ks(case), LIGHT),
        Method(
            f"frouros MMD, {N_PERMUTATIONS} permutations",
            by_permutations,
            Effort(4, 0, n_asked=1),
            windows=(200,),
        ),
    ]


def _ks(case: Case) -> Callable[[Rows, int], Judge]:
    """The first class's probability: with two classes it is all there is."""

    def fit(reference: Rows, _window: int) -> Judge:
        detector = KSTest()
        detector.fit(X=case.probabilities[reference, 0].astype(np.float64))

        def judge(rows: Rows) -> Score:
            found, _ = detector.compare(X=case.probabilities[rows, 0].astype(np.float64))
            return Score(float(found.statistic), bool(found.p_value < LEVEL))

        return judge

    return fit


def _median_distance(rows: npt.NDArray[np.float64]) -> float:
    some = rows[np.random.default_rng(0).permutation(len(rows))[:N_PAIRS]]
    distances = np.sqrt(np.maximum(np.square(some[:, None] - some[None]).sum(-1), 0))
    return float(np.median(distances[distances > 0]))


if __name__ == "__main__":
    run(methods)
