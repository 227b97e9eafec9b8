"""What evidence leads to."""

from dataclasses import replace

import numpy as np
import pytest

from monitoring.drift import grids
from monitoring.rollouts.deciding import Decision, Step, decide
from monitoring.rollouts.evidence import Evidence, Question, Totals, as_json, from_json, look
from monitoring.rollouts.options import Metric, Options
from monitoring.rollouts.sequential import START, Duel, Tally, Wealth

OPTIONS = Options(min_requests=10, min_step_s=60, max_step_s=600)
DONE = Step(n_requests=10, age_s=60)
SURE = Wealth(logs=(20.0,) * len(START.logs), n_pairs=100)


def evidence(**duels: Duel) -> Evidence:
    return Evidence(questions={name: Question(duel=duel) for name, duel in duels.items()})


FINE = evidence(errors=Duel(fine=SURE), latency=Duel(fine=SURE))


def test_a_candidate_that_is_fine_advances_once_the_step_is_done():
    assert decide(FINE, DONE, OPTIONS).decision is Decision.ADVANCE
    for early in (Step(9, 60), Step(10, 59)):
        assert decide(FINE, early, OPTIONS).decision is Decision.HOLD


def test_a_required_metric_without_evidence_holds_and_then_pauses():
    some = evidence(errors=Duel(fine=SURE))
    held = decide(some, DONE, OPTIONS)
    assert (held.decision, "latency" in held.reason) == (Decision.HOLD, True)
    assert decide(some, Step(10, 600), OPTIONS).decision is Decision.PAUSE


@pytest.mark.parametrize("step", [DONE, Step(0, 0), Step(10, 6000)])
def test_worse_beats_everything_else(step):
    bad = replace(FINE, questions=FINE.questions | {"feedback": Question(duel=Duel(worse=SURE))})
    ruling = decide(bad, step, OPTIONS)
    assert (ruling.decision, ruling.metric) == (Decision.ABORT, Metric.FEEDBACK)


def test_a_metric_that_is_left_out_decides_nothing():
    bad = replace(FINE, questions=FINE.questions | {"feedback": Question(duel=Duel(worse=SURE))})
    some = Options(min_requests=10, min_step_s=60, metrics=(Metric.ERRORS, Metric.LATENCY))
    assert decide(bad, DONE, some).decision is Decision.ADVANCE


def test_evidence_survives_the_database():
    rng = np.random.default_rng(2)
    seen = Totals(
        n=500,
        n_failed=3,
        seconds=grids.count(rng.lognormal(-5, 0.3, 500), grids.SECONDS),
        confidence=grids.count(rng.uniform(0.5, 1, 500), grids.PROBABILITY),
        labels={"A": 300, "B: b": 200},
        labelled=Tally(50, 5),
    )
    more = replace(seen, n=700, n_failed=4, labels={"A": 420, "B: b": 280})
    once = look(Evidence(), Totals(), seen, options=OPTIONS, rng=rng)
    again = look(once, seen, more, options=OPTIONS, rng=rng)
    assert from_json(as_json(again)) == again
    assert set(again.of(Metric.LABELS)) == {
        "labels:more:A",
        "labels:fewer:A",
        "labels:more:B: b",
        "labels:fewer:B: b",
    }
    assert again.questions["errors"].candidate == Tally(503, 3)


def test_what_came_before_the_first_look_counts_for_nothing():
    rng = np.random.default_rng(2)
    old = Totals(n=1000, n_failed=900)
    first = look(Evidence(), old, old, options=OPTIONS, rng=rng)
    again = look(first, old, old, options=OPTIONS, rng=rng)
    assert again.worse(Metric.ERRORS) == pytest.approx(1.0)
    assert again.questions["errors"].candidate == Tally(0, 0)
    assert again.n_at_step == 1900
