"""Jobs ask for little while people are answered, and for all they can when nobody is there."""

import asyncio

from inference.jobs.asking import Asker
from inference.jobs.pace import (
    ALONE,
    BESIDE_PEOPLE,
    CROWDED_S,
    EXPECTED_S,
    IN_A_CROWD,
    Attention,
    choose_pace,
)
from inference.jobs.rows import Answered, BadRow, Row
from inference.recording import MemoryRecorder


def rows(*texts: str) -> list[Row]:
    return [Row(n, text, None, None) for n, text in enumerate(texts, start=1)]


def test_the_pace_follows_from_when_somebody_was_answered_last():
    assert choose_pace(EXPECTED_S, 0.0) == ALONE
    assert choose_pace(EXPECTED_S - 1, 0.0) == BESIDE_PEOPLE
    assert choose_pace(0.0, CROWDED_S) == IN_A_CROWD
    assert choose_pace(float("inf"), CROWDED_S) == ALONE


def test_answers_to_people_are_noted_and_those_to_jobs_are_not(plane):
    now = [100.0]
    attention = Attention(MemoryRecorder(), clock=lambda: now[0])
    plane.service.recorder = attention
    assert attention.quiet_s() == float("inf")
    asker = Asker(plane.service, "team/model", "k", "r", attention.quiet_s)
    asyncio.run(asker.answer(rows("good")))
    assert attention.quiet_s() == float("inf")
    assert plane.predict(["good"]).status_code == 200
    now[0] = 103.0
    assert attention.quiet_s() == 3.0


def test_a_job_beside_people_sends_one_text_at_a_time(plane):
    asker = Asker(plane.service, "team/model", "k", "r", lambda: 0.0)
    outcomes = asyncio.run(asker.answer(rows("good", "bad", "poison", "good")))
    assert [len(batch) for batch in plane.predictor.runtime.batches] == [1, 1, 1, 1]
    assert [type(each) for each in outcomes] == [Answered, Answered, BadRow, Answered]


def test_rows_that_fail_together_are_told_apart(plane):
    texts = ["good"] * 12
    for at in (0, 5, 6, 11):
        texts[at] = "poison"
    asker = Asker(plane.service, "team/model", "k", "r", lambda: float("inf"))
    outcomes = asyncio.run(asker.answer(rows(*texts)))
    assert [at for at, each in enumerate(outcomes) if isinstance(each, BadRow)] == [0, 5, 6, 11]
    assert [each.line if isinstance(each, BadRow) else each.row.line for each in outcomes] == [
        *range(1, 13)
    ]
