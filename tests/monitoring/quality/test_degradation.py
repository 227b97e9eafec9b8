"""One budget holds over all classes; what became worse is found and named."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.quality.degradation import (
    ERRORS,
    MOST_EVIDENCE,
    NOTHING,
    Judgement,
    Labelled,
    Progress,
    Watch,
    from_json,
    judge,
    to_json,
    update,
    watch,
)
from monitoring.verdicts import Verdict
from tests.monitoring.quality.streams import labelled

TWO = np.array([[400, 44], [40, 388]])
FOUR = np.full((4, 4), 20) + np.diag([520] * 4)


def watched(k: int = 2) -> Watch:
    table = TWO if k == 2 else FOUR
    return watch(table, [f"c{i}" for i in range(k)])


def run(
    setting: Watch, rows: list[Labelled], *, arl: float, step: int = 20
) -> tuple[Progress, Judgement | None]:
    """Take `rows` in; the first judgement that alarms."""
    progress = NOTHING
    for start in range(0, len(rows), step):
        progress = update(setting, progress, rows[start : start + step], arl=arl)
        judgement = judge(setting, progress, arl=arl)
        if judgement.verdict is Verdict.DEGRADED:
            return progress, judgement
    return progress, None


@pytest.mark.parametrize("k", [2, 4])
def test_all_streams_together_keep_the_budget_at_their_limits(k: int) -> None:
    rng = np.random.default_rng(31)
    setting = watched(k)
    # The highest error that no stream forbids.
    error = min(
        stream.limit if stream.label == ERRORS else stream.limit / (2 - stream.limit)
        for stream in setting.streams
    )
    runs, arl, n = 120, 1000.0, 300
    alarms = sum(
        run(setting, labelled(n, error, rng, k=k), arl=arl)[1] is not None for _ in range(runs)
    )
    # At most 0.3 by the theorem; 120 runs know that to 0.084 (two standard errors).
    assert alarms / runs <= n / arl + 0.084


def test_a_quiet_stream_alarms_nobody() -> None:
    rng = np.random.default_rng(32)
    alarms = [run(watched(), labelled(1500, 0.096, rng), arl=5000.0)[1] for _ in range(30)]
    assert not any(alarms)


def test_a_doubled_error_rate_is_found_within_a_few_hundred_labels() -> None:
    rng = np.random.default_rng(33)
    needed = []
    for _ in range(30):
        _, judgement = run(watched(), labelled(1500, 0.20, rng), arl=10_000.0)
        assert judgement is not None
        needed.append(judgement.n)
    # The limit is 0.134 here: the baseline's 872 labels are taken at their upper bound.
    assert np.median(needed) <= 450


def test_the_class_that_became_worse_is_named() -> None:
    rng = np.random.default_rng(34)
    rows = [
        Labelled(row.actual, "c1" if row.actual == "c0" and rng.random() < 0.5 else row.predicted)
        for row in labelled(2000, 0.09, rng, k=4)
    ]
    _, judgement = run(watched(4), rows, arl=10_000.0)
    assert judgement is not None
    assert set(judgement.classes) <= {"c0", "c1"}
    assert judgement.evidence[0].label in {"c0", "c1"}


def test_the_live_accuracy_is_told_with_bounds() -> None:
    rng = np.random.default_rng(35)
    progress, _ = run(watched(), labelled(600, 0.096, rng), arl=10_000.0)
    accuracy = judge(watched(), progress, arl=10_000.0).errors("delayed")
    assert accuracy is not None
    assert accuracy.n == 600
    assert accuracy.low < 0.904 < accuracy.high
    assert accuracy.value == pytest.approx(0.904, abs=0.04)


def test_after_recovery_the_evidence_soon_falls_again() -> None:
    rng = np.random.default_rng(36)
    arl, setting = 10_000.0, watched()
    progress = update(setting, NOTHING, labelled(3000, 0.3, rng), arl=arl)
    judgement = judge(setting, progress, arl=arl)
    assert judgement.verdict is Verdict.DEGRADED
    assert judgement.e_value == pytest.approx(MOST_EVIDENCE * arl)
    progress = update(setting, progress, labelled(300, 0.096, rng), arl=arl)
    assert judge(setting, progress, arl=arl).verdict is Verdict.OK


def test_a_flood_of_errors_in_one_batch_is_finite_evidence() -> None:
    flood = [Labelled("c0", "c1")] * 20_000
    progress = update(watched(), NOTHING, flood, arl=10_000.0)
    judgement = judge(watched(), progress, arl=10_000.0)
    assert judgement.verdict is Verdict.DEGRADED
    assert judgement.e_value == pytest.approx(MOST_EVIDENCE * 10_000)
    assert from_json(json.loads(json.dumps(to_json(progress), allow_nan=False))) == progress


def test_sources_are_tests_of_their_own_under_one_budget() -> None:
    rng = np.random.default_rng(37)
    rows = labelled(100, 0.1, rng)
    audited = [Labelled(row.actual, row.predicted, 5.0, "audit") for row in rows]
    progress = update(
        watched(), NOTHING, [*rows, *audited], arl=1000.0, largest_weights={"audit": 20.0}
    )
    judgement = judge(watched(), progress, arl=1000.0)
    assert judgement.n == 200
    assert {(e.source, e.label) for e in judgement.evidence} == {
        (source, label) for source in ("audit", "delayed") for label in (ERRORS, "c0", "c1")
    }
    parts = [
        judge(watched(), update(watched(), NOTHING, part, arl=1000.0, largest_weights=w), arl=1000)
        for part, w in ((rows, None), (audited, {"audit": 20.0}))
    ]
    assert judgement.e_value == pytest.approx(sum(part.e_value for part in parts))


def test_too_few_labels_or_no_baseline_is_its_own_verdict() -> None:
    rng = np.random.default_rng(38)
    rows = labelled(19, 0.0, rng)
    few = judge(watched(), update(watched(), NOTHING, rows, arl=1000.0), arl=1000.0)
    assert few.verdict is Verdict.INSUFFICIENT_DATA
    unwatched = watch(np.array([[20, 1], [1, 20]]), ["c0", "c1"])
    assert unwatched.streams == ()
    progress = update(unwatched, NOTHING, labelled(100, 0.5, rng), arl=1000.0)
    judgement = judge(unwatched, progress, arl=1000.0)
    assert (judgement.verdict, judgement.n) == (Verdict.INSUFFICIENT_DATA, 0)


def test_a_rare_class_of_the_baseline_is_left_unwatched() -> None:
    setting = watch(np.array([[900, 20], [10, 5]]), ["often", "rare"])
    assert [stream.label for stream in setting.streams] == [ERRORS, "often"]
    progress = update(setting, NOTHING, [Labelled("new", "rare")] * 30, arl=1000.0)
    assert {label for _, label in progress.states} == {ERRORS}


def test_a_limit_is_the_baseline_s_upper_bound_plus_the_tolerance() -> None:
    errors = watched().streams[0]
    assert errors.baseline == pytest.approx(788 / 872)
    assert errors.lowest == pytest.approx(0.8856 - 0.02, abs=1e-3)
    assert errors.limit == pytest.approx(1 - errors.lowest)
    wider = watch(TWO, ["c0", "c1"], tolerance=0.05).streams
    assert all(a.limit > b.limit for a, b in zip(wider, watched().streams, strict=True))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abx"), st.sampled_from("ab")), max_size=50))
def test_progress_survives_json(pairs: list[tuple[str, str]]) -> None:
    setting = watch(TWO, ["a", "b"])
    progress = update(setting, NOTHING, [Labelled(a, p) for a, p in pairs], arl=1000.0)
    assert from_json(json.loads(json.dumps(to_json(progress)))) == progress


def test_damaged_progress_is_refused() -> None:
    with pytest.raises(ValueError, match="not the progress of a test"):
        from_json([{"label": "a"}])
