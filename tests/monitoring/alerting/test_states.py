import doctest
import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.alerting import states
from monitoring.alerting.signals import Policy
from monitoring.alerting.states import (
    FORGOTTEN_AFTER,
    MOST_GOOD,
    RELAPSE,
    Change,
    Incident,
    Opinion,
    Standing,
    State,
    close,
    step,
)
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LEGAL = {
    (State.INACTIVE, State.PENDING),
    (State.PENDING, State.INACTIVE),
    (State.PENDING, State.FIRING),
    (State.FIRING, State.FIRING),
    (State.FIRING, State.RESOLVED),
}
USUAL = Policy()
BAD, GOOD, UNKNOWN = Verdict.DRIFT, Verdict.OK, Verdict.INSUFFICIENT_DATA


class Story:
    """One kind at one version over time, as the rows would keep it."""

    def __init__(self, policy: Policy = USUAL) -> None:
        self.policy, self.standing, self.at = policy, Standing(), START
        self.ended: list[tuple[datetime, Severity]] = []
        self.changes: list[tuple[datetime, Change]] = []

    def hear(
        self,
        verdict: Verdict,
        at: datetime,
        severity: Severity = Severity.WARNING,
        source: str = "drift",
    ) -> State:
        if self.standing.state is State.RESOLVED:
            self.standing = Standing()
        opinion = Opinion(source=source, verdict=verdict, severity=severity, at=at)
        taken = step(self.standing, opinion, self.policy, self._last(at))
        self.standing, self.at = taken.standing, max(self.at, at)
        self.changes += [(at, change) for change in taken.changes]
        if self.standing.state is State.RESOLVED:
            self.ended.append((at, self.standing.severity))
        return self.standing.state

    def tell(self, verdicts: Iterable[Verdict], every: timedelta = 5 * MINUTE) -> list[State]:
        return [self.hear(verdict, self.at + every) for verdict in verdicts]

    @property
    def told(self) -> list[tuple[datetime, Change]]:
        return [(at, change) for at, change in self.changes if change.is_told]

    def _last(self, at: datetime) -> Incident | None:
        recent = [each for each in self.ended if at - each[0] < RELAPSE]
        if not recent:
            return None
        resolved_at, severity = recent[-1]
        return Incident(severity=severity, resolved_at=resolved_at, n_recent=len(recent))


def test_it_fires_after_two_bad_evaluations_in_a_row() -> None:
    assert Story().tell([BAD, GOOD, BAD, BAD]) == [
        State.PENDING,
        State.INACTIVE,
        State.PENDING,
        State.FIRING,
    ]


def test_it_resolves_after_two_good_ones_in_a_row() -> None:
    states = Story().tell([BAD, BAD, GOOD, GOOD])
    assert states == [State.PENDING, State.FIRING, State.FIRING, State.RESOLVED]


def test_one_bad_evaluation_can_be_enough() -> None:
    assert Story(Policy(fires_after=1)).tell([BAD]) == [State.FIRING]


def test_too_little_data_changes_no_counter() -> None:
    states = Story().tell([BAD, UNKNOWN, BAD, GOOD, UNKNOWN, GOOD])
    assert states[2] is State.FIRING
    assert states[-1] is State.RESOLVED
    assert Story().tell([UNKNOWN] * 10) == [State.INACTIVE] * 10


def test_a_false_calm_asks_for_a_longer_one() -> None:
    story = Story(Policy(resolves_after=2))
    states = story.tell([BAD, BAD, GOOD, BAD, GOOD, GOOD, GOOD])
    assert states[-2:] == [State.FIRING, State.RESOLVED]


def test_however_long_the_false_calm_was_a_bounded_one_ends_it() -> None:
    story = Story(Policy(resolves_after=40))
    story.tell([BAD, BAD, *[GOOD] * 39, BAD])
    story.policy = Policy(resolves_after=2)
    assert story.tell([GOOD] * MOST_GOOD)[-2:] == [State.FIRING, State.RESOLVED]


def test_an_old_word_of_a_source_is_ignored() -> None:
    story = Story()
    story.hear(BAD, START + MINUTE)
    assert story.hear(BAD, START + MINUTE) is State.PENDING
    assert story.hear(BAD, START) is State.PENDING


def test_severity_rises_while_it_fires_and_never_falls() -> None:
    story = Story()
    story.tell([BAD, BAD])
    at = START + timedelta(hours=1)
    story.hear(BAD, at, Severity.CRITICAL)
    story.hear(BAD, at + MINUTE, Severity.INFO)
    assert story.standing.severity is Severity.CRITICAL
    rise = story.told[-1][1]
    assert (rise.before, rise.severity) == (Severity.WARNING, Severity.CRITICAL)
    assert len(story.told) == 2


def test_one_alarming_evaluation_after_calm_does_not_raise_the_severity() -> None:
    story = Story()
    story.tell([BAD, BAD, GOOD])
    story.hear(BAD, START + timedelta(hours=1), Severity.CRITICAL)
    assert story.standing.severity is Severity.WARNING


def test_it_does_not_fire_again_within_the_cooldown() -> None:
    story = Story(Policy(cooldown_s=3600))
    story.tell([BAD, BAD, GOOD, GOOD])
    assert set(story.tell([BAD] * 10)) == {State.PENDING}


def test_what_stays_bad_for_a_cooldown_fires_again() -> None:
    story = Story(Policy(cooldown_s=3600))
    story.tell([BAD, BAD, GOOD, GOOD])
    assert story.tell([BAD] * 13)[-1] is State.FIRING


def test_the_second_relapse_of_a_day_must_last_twice_as_long() -> None:
    story = Story(Policy(cooldown_s=3600))
    for _ in range(2):
        story.tell([BAD] * 14)
        story.tell([GOOD, GOOD])
    assert story.tell([BAD] * 24)[-1] is State.PENDING
    assert story.tell([BAD])[-1] is State.FIRING


def test_what_is_worse_than_last_time_waits_for_nothing() -> None:
    story = Story()
    story.tell([BAD, BAD, GOOD, GOOD])
    at = story.at
    story.hear(BAD, at + MINUTE, Severity.CRITICAL)
    assert story.hear(BAD, at + 2 * MINUTE, Severity.CRITICAL) is State.FIRING


def test_after_a_day_of_calm_it_fires_as_if_for_the_first_time() -> None:
    story = Story()
    story.tell([BAD, BAD, GOOD, GOOD])
    at = story.at + RELAPSE
    story.hear(BAD, at)
    assert story.hear(BAD, at + MINUTE) is State.FIRING


def test_an_alert_of_two_sources_resolves_when_both_are_well() -> None:
    story, at = Story(), START
    for source in ("count", "day"):
        for _ in range(2):
            at += MINUTE
            story.hear(BAD, at, source=source)
    for _ in range(3):
        at += MINUTE
        assert story.hear(GOOD, at, source="count") is State.FIRING
    story.hear(GOOD, at + MINUTE, source="day")
    assert story.hear(GOOD, at + 2 * MINUTE, source="day") is State.RESOLVED


def test_a_well_source_does_not_keep_a_bad_one_from_firing() -> None:
    story = Story()
    for k in range(2):
        story.hear(BAD, START + 2 * k * MINUTE, source="count")
        story.hear(GOOD, START + (2 * k + 1) * MINUTE, source="day")
    assert story.standing.state is State.FIRING


def test_a_source_that_fell_silent_keeps_no_alert_open() -> None:
    story = Story()
    for source in ("gone", "here"):
        for k in range(2):
            story.hear(BAD, START + k * MINUTE, source=source)
    late = START + FORGOTTEN_AFTER + timedelta(hours=1)
    story.hear(BAD, late - timedelta(hours=2), source="here")
    story.hear(GOOD, late, source="here")
    assert story.hear(GOOD, late + MINUTE, source="here") is State.RESOLVED


@pytest.mark.parametrize(
    ("said", "ended"), [([BAD], State.INACTIVE), ([BAD, BAD], State.RESOLVED), ([], State.INACTIVE)]
)
def test_an_alert_can_be_closed_whatever_its_sources_say(
    said: Sequence[Verdict], ended: State
) -> None:
    story = Story()
    story.tell(said)
    assert close(story.standing).standing.state is ended


def test_a_resolved_alert_takes_no_more_opinions() -> None:
    opinion = Opinion(source="", verdict=BAD, severity=Severity.INFO, at=START)
    with pytest.raises(ValueError, match="no more opinions"):
        step(Standing(state=State.RESOLVED), opinion, Policy())


words = st.tuples(
    st.sampled_from([BAD, Verdict.DEGRADED, Verdict.BREACH, GOOD, UNKNOWN]),
    st.sampled_from(list(Severity)),
    st.sampled_from(["count", "day"]),
    st.integers(-300, 40_000),
)
policies = st.builds(
    Policy,
    fires_after=st.integers(1, 4),
    resolves_after=st.integers(1, 4),
    cooldown_s=st.sampled_from([0.0, 60.0, 3600.0]),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(policies, st.lists(words, max_size=60))
def test_any_story_has_legal_changes_only(
    policy: Policy, said: list[tuple[Verdict, Severity, str, int]]
) -> None:
    story, at = Story(policy), START
    for verdict, severity, source, seconds in said:
        before, n_known = story.standing, len(story.changes)
        if before.state is State.RESOLVED:
            before = Standing()
        at += timedelta(seconds=seconds)
        after = story.hear(verdict, at, severity, source)
        changes = [change for _, change in story.changes[n_known:]]
        assert {(each.from_state, each.to_state) for each in changes} <= LEGAL
        assert [before.state, *(each.to_state for each in changes)][-1] is after
        for first, second in pairwise(changes):
            assert first.to_state is second.from_state
        if verdict is UNKNOWN:
            assert story.standing == before
        if before.state is State.FIRING:
            assert story.standing.severity.rank >= before.severity.rank
        assert bool(story.standing.tallies) == (after in (State.PENDING, State.FIRING))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(1, 11), st.integers(1, 60)), min_size=1, max_size=300),
    policies.filter(lambda policy: policy.cooldown_s == 3600.0),
)
def test_whatever_flaps_faster_than_the_cooldown_is_told_of_twice_a_day_at_most(
    runs: list[tuple[int, int]], policy: Policy
) -> None:
    story, at = Story(policy), START
    while at < START + timedelta(hours=24):
        for n_bad, n_good in runs:
            for verdict in [BAD] * n_bad + [GOOD] * n_good:
                at += 5 * MINUTE
                if at < START + timedelta(hours=24):
                    story.hear(verdict, at)
    assert len(story.told) <= 2


@pytest.mark.parametrize("share_bad", [0.2, 0.5, 0.9])
def test_a_metric_that_flaps_at_random_is_told_of_twice_a_day(share_bad: float) -> None:
    rng = random.Random(20261121)
    days_with_more = 0
    for _ in range(20):
        story = Story()
        for k in range(24 * 60):
            story.hear(BAD if rng.random() < share_bad else GOOD, START + k * MINUTE)
        days_with_more += len(story.told) > 2
    assert days_with_more <= 1


def test_the_example_in_the_docstring_runs() -> None:
    result = doctest.testmod(states)
    assert result.attempted > 0
    assert result.failed == 0
