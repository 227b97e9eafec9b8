"""How verdicts become alerts: inactive → pending → firing → resolved. Pure.

Three rules keep an alert from being a nuisance. It takes several bad evaluations in a row to fire
and several good ones to resolve, and more good ones the longer the calm was that proved false in
this incident. A kind that fired within the last day fires again only after it has been bad for a
whole cooldown without one good evaluation (twice as long each time): whatever flaps faster than the
cooldown is told of twice a day at most, once as it fires and once as it resolves. What weighs more
than last time waits for nothing. Severity only rises while an alert fires.

Several sources (monitors) may speak of one alert: it fires as soon as one of them is bad for long
enough, and resolves once all that were bad are well again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitoring.alerting.signals import Policy
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

RELAPSE = timedelta(hours=24)
"""A kind that fires again within this time after it resolved has not really been well."""
FORGOTTEN_AFTER = timedelta(hours=24)
"""A source that said nothing for so long no longer keeps an alert open that others speak of."""
MOST_GOOD = 24
"""However often an incident seemed over, so many good evaluations in a row end it."""


class State(StrEnum):
    """Where an alert stands."""

    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one source says at a time."""

    source: str
    verdict: Verdict
    severity: Severity
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The evaluations in a row of one source that was bad and is not yet well again.

    `longest_good` is the longest run of good ones that a bad one broke in this incident.
    """

    n_bad: int = 0
    n_good: int = 0
    longest_good: int = 0
    bad_since: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One alert between evaluations; `tallies` holds the sources that are not well."""

    state: State = State.INACTIVE
    severity: Severity = Severity.INFO
    tallies: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The last time that the same kind fired: how it ended, and how often it did within a day."""

    severity: Severity
    resolved_at: datetime
    n_recent: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to an alert; `before` is the severity before, where it rose while firing."""

    from_state: State
    to_state: State
    severity: Severity
    before: Severity | None = None

    @property
    def is_told(self) -> bool:
        """Whether people hear of it: of what fires, gets worse while it fires, and resolves."""
        return self.to_state in (State.FIRING, State.RESOLVED)


@dataclass(frozen=True, slots=True)
class Step:
    """Where the alert stands now, and the changes that led there, in order."""

    standing: Standing
    changes: tuple[Change, ...] = ()


def step(
    standing: Standing, opinion: Opinion, policy: Policy, last: Incident | None = None
) -> Step:
    """Take one opinion into account.

    Too little data changes nothing, nor does what a source said before its newest word. A resolved
    alert takes no more opinions: the next bad one opens another.

    >>> from datetime import UTC
    >>> at, standing = datetime(2026, 1, 1, tzinfo=UTC), Standing()
    >>> for verdict in (Verdict.DRIFT, Verdict.DRIFT, Verdict.OK, Verdict.OK):
    ...     said = Opinion(source="drift", verdict=verdict, severity=Severity.INFO, at=at)
    ...     standing = step(standing, said, Policy()).standing
    ...     at += timedelta(minutes=5)
    ...     print(standing.state)
    pending
    firing
    firing
    resolved
    """
    if standing.state is State.RESOLVED:
        raise ValueError("a resolved alert takes no more opinions")
    if opinion.verdict is Verdict.INSUFFICIENT_DATA or _is_stale(standing, opinion):
        return Step(standing)
    heard = _without_forgotten(standing, opinion.at)
    if opinion.verdict.is_bad:
        return _worsen(heard, opinion, policy, last)
    return _improve(heard, opinion, policy)


def close(standing: Standing) -> Step:
    """End an alert whatever its sources say: its version is no longer live."""
    if standing.state is State.PENDING:
        return _move(replace(standing, tallies={}), State.INACTIVE)
    if standing.state is State.FIRING:
        return _move(replace(standing, tallies={}), State.RESOLVED)
    return Step(standing)


def _worsen(standing: Standing, opinion: Opinion, policy: Policy, last: Incident | None) -> Step:
    tally = _with_bad(standing.tallies.get(opinion.source), opinion.at)
    before = standing.severity
    severity = max(before, opinion.severity, key=lambda each: each.rank)
    if standing.state is State.INACTIVE:
        severity = opinion.severity
    standing = replace(standing, tallies={**standing.tallies, opinion.source: tally})
    changes: tuple[Change, ...] = ()
    if standing.state is State.INACTIVE:
        standing, changes = _apply(standing, State.PENDING, severity)
    if standing.state is State.PENDING:
        standing = replace(standing, severity=severity)
        if tally.n_bad >= policy.fires_after and _may_fire(severity, tally, opinion, policy, last):
            standing, fired = _apply(standing, State.FIRING, severity)
            changes += fired
        return Step(standing, changes)
    if severity is not before and tally.n_bad >= policy.fires_after:
        rise = Change(
            from_state=State.FIRING, to_state=State.FIRING, severity=severity, before=before
        )
        return Step(replace(standing, severity=severity), (rise,))
    return Step(standing)


def _improve(standing: Standing, opinion: Opinion, policy: Policy) -> Step:
    tallies = dict(standing.tallies)
    tally = tallies.pop(opinion.source, None)
    if tally is not None:
        well = replace(tally, n_bad=0, n_good=tally.n_good + 1, seen_at=opinion.at)
        if standing.state is State.FIRING and well.n_good < _good_needed(well, policy):
            tallies[opinion.source] = well
    standing = replace(standing, tallies=tallies)
    if tallies or standing.state is State.INACTIVE:
        return Step(standing)
    over = State.RESOLVED if standing.state is State.FIRING else State.INACTIVE
    return _move(standing, over)


def _with_bad(tally: Tally | None, at: datetime) -> Tally:
    if tally is None:
        return Tally(n_bad=1, bad_since=at, seen_at=at)
    return Tally(
        n_bad=tally.n_bad + 1,
        longest_good=max(tally.longest_good, tally.n_good),
        bad_since=tally.bad_since if tally.n_bad else at,
        seen_at=at,
    )


def _good_needed(tally: Tally, policy: Policy) -> int:
    """More than twice the longest calm that proved false."""
    after_false_calm = 2 * tally.longest_good + 1 if tally.longest_good else 0
    return max(policy.resolves_after, min(after_false_calm, MOST_GOOD))


def _may_fire(
    severity: Severity, tally: Tally, opinion: Opinion, policy: Policy, last: Incident | None
) -> bool:
    if last is None or severity.rank > last.severity.rank:
        return True
    calm = opinion.at - last.resolved_at
    if calm >= RELAPSE:
        return True
    cooldown = timedelta(seconds=policy.cooldown_s)
    lasting = cooldown * 2 ** max(0, last.n_recent - 1)
    return calm >= cooldown and opinion.at - tally.bad_since >= min(lasting, RELAPSE)


def _is_stale(standing: Standing, opinion: Opinion) -> bool:
    tally = standing.tallies.get(opinion.source)
    return tally is not None and opinion.at <= tally.seen_at


def _without_forgotten(standing: Standing, at: datetime) -> Standing:
    kept = {
        source: tally
        for source, tally in standing.tallies.items()
        if at - tally.seen_at <= FORGOTTEN_AFTER
    }
    return replace(standing, tallies=kept)


def _move(standing: Standing, to_state: State) -> Step:
    return Step(*_apply(standing, to_state, standing.severity))


def _apply(
    standing: Standing, to_state: State, severity: Severity
) -> tuple[Standing, tuple[Change, ...]]:
    change = Change(from_state=standing.state, to_state=to_state, severity=severity)
    return replace(standing, state=to_state, severity=severity), (change,)
