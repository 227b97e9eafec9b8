"""No more false alarms than the budget says; a rise is found about as soon as is possible."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.quality.confidence_sequence import Outcome
from monitoring.quality.edetector import State, from_json, run_length, to_json, update
from tests.monitoring.quality.streams import outcomes

LIMIT = 0.12


def alarm_at(
    error: float,
    rng: np.random.Generator,
    *,
    arl: float,
    longest: int,
    step: int = 10,
    limit: float = LIMIT,
) -> int | None:
    """After how many labels a stream with this error rate alarms, looking every `step`."""
    state = State()
    for n in range(step, longest + step, step):
        state = update(state, outcomes(rng.random(step) < error), limit=limit)
        if state.e_value >= arl:
            return n
    return None


@pytest.mark.parametrize("limit", [0.02, 0.12, 0.45])
def test_at_the_limit_itself_an_alarm_within_n_labels_is_no_likelier_than_n_in_arl(
    limit: float,
) -> None:
    rng = np.random.default_rng(7)
    runs, arl, n = 300, 2000.0, 400
    alarms = sum(
        alarm_at(limit, rng, arl=arl, longest=n, limit=limit) is not None for _ in range(runs)
    )
    # At most 0.2 by the theorem; 300 runs know that to 0.046 (two standard errors).
    assert alarms / runs <= n / arl + 0.046


def test_the_mean_run_length_is_at_least_the_arl() -> None:
    rng = np.random.default_rng(8)
    arl, longest = 100.0, 1000
    lengths = [alarm_at(LIMIT, rng, arl=arl, longest=longest) or longest for _ in range(150)]
    # Cut off at ten times the ARL, so the mean can only be too small.
    assert np.mean(lengths) >= arl


def test_below_the_limit_alarms_hardly_ever_come() -> None:
    rng = np.random.default_rng(9)
    alarms = [alarm_at(0.10, rng, arl=1000.0, longest=1500, step=50) for _ in range(100)]
    assert sum(at is not None for at in alarms) <= 8


# Medians of 2,000 runs: 815, 201, 61. Those of these fewer vary by about a tenth.
@pytest.mark.parametrize(
    ("error", "labels", "runs"), [(0.15, 815, 80), (0.2, 201, 120), (0.3, 61, 200)]
)
def test_a_rise_is_found_after_the_published_number_of_labels(
    error: float, labels: int, runs: int
) -> None:
    rng = np.random.default_rng(10)
    found = [
        alarm_at(error, rng, arl=10_000, longest=8 * labels, step=5) or np.inf for _ in range(runs)
    ]
    assert 0.75 * labels <= np.median(found) <= 1.25 * labels


def draw_audited(n: int, error: float, rng: np.random.Generator) -> list[Outcome]:
    """n labels of a draw that asks ten times as often where the model errs more."""
    made = []
    while len(made) < n:
        is_hard = rng.random(4 * n) < 0.2
        is_bad = rng.random(4 * n) < np.where(is_hard, 4 * error, error / 4)
        probability = np.where(is_hard, 0.5, 0.05)
        asked = rng.random(4 * n) < probability
        made += outcomes(is_bad[asked], 1 / probability[asked])
    return made[:n]


def test_weights_undo_a_draw_that_prefers_errors() -> None:
    rng = np.random.default_rng(11)
    runs, n, arl, weighted, naive = 150, 400, 2000.0, 0, 0
    for _ in range(runs):
        drawn = draw_audited(n, LIMIT, rng)
        states = [State(), State()]
        alarmed = [False, False]
        for start in range(0, n, 20):
            batch = drawn[start : start + 20]
            states[0] = update(states[0], batch, limit=LIMIT, largest_weight=20.0)
            unweighted = [Outcome(outcome.is_bad) for outcome in batch]
            states[1] = update(states[1], unweighted, limit=LIMIT)
            alarmed = [a or s.e_value >= arl for a, s in zip(alarmed, states, strict=True)]
        weighted += alarmed[0]
        naive += alarmed[1]
    assert weighted / runs <= n / arl + 0.065  # two standard errors of 150 runs
    assert naive / runs >= 0.95


def test_weighted_labels_find_a_doubled_error_rate() -> None:
    rng = np.random.default_rng(12)
    found = 0
    for _ in range(20):
        drawn = draw_audited(2000, 0.24, rng)
        state = update(State(), drawn, limit=LIMIT, largest_weight=20.0)
        found += state.e_value >= 10_000
    assert found >= 19


@settings(deadline=None, max_examples=50)
@given(st.lists(st.booleans(), max_size=60), st.integers(0, 60))
def test_however_labels_are_cut_into_batches_the_state_is_the_same(
    bad: list[bool], cut: int
) -> None:
    whole = update(State(), outcomes(bad), limit=LIMIT)
    halves = update(State(), outcomes(bad[:cut]), limit=LIMIT)
    halves = update(halves, outcomes(bad[cut:]), limit=LIMIT)
    assert halves.levels == pytest.approx(whole.levels)
    assert halves.totals.n_bad == whole.totals.n_bad == sum(bad)


def test_a_weight_above_its_bound_is_no_more_evidence_than_the_bound() -> None:
    heavy = update(State(), [Outcome(True, 50.0)], limit=LIMIT, largest_weight=10.0)
    bounded = update(State(), [Outcome(True, 10.0)], limit=LIMIT, largest_weight=10.0)
    assert heavy.levels == bounded.levels
    gone = update(heavy, [Outcome(False, 1e6)], limit=LIMIT, largest_weight=10.0)
    assert gone.e_value == 0


def test_the_state_survives_json() -> None:
    state = update(State(), outcomes([True, False, True]), limit=LIMIT)
    assert from_json(json.loads(json.dumps(to_json(state)))) == state


@pytest.mark.parametrize("damage", [{"levels": [1.0]}, {"n": "x"}, {"levels": None}])
def test_a_damaged_state_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not the state of a detector"):
        from_json(to_json(State()) | damage)
    with pytest.raises(ValueError, match="not the state of a detector"):
        from_json({})


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1])
def test_a_limit_that_is_no_rate_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="limit"):
        update(State(), [], limit=limit)


def test_the_run_length_follows_from_the_budget() -> None:
    assert run_length(200, days=90, share=0.5) == 36_000
    assert run_length(0) == 1000
    lengths = [run_length(n) for n in (1, 10, 100, 1000)]
    assert all(a <= b for a, b in pairwise(lengths))
    with pytest.raises(ValueError, match="share"):
        run_length(1, share=0)
