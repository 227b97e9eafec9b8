"""Which snapshots to keep, in restic's words (pure).

`last` keeps the newest n; `hourly` … `yearly` keep the newest snapshot of each of the last n hours,
days, weeks (ISO), months or years that have one; `within` keeps all that are younger than a span,
counted back from the newest snapshot; `tag` keeps all that carry one of the tags. A snapshot stays
when any rule keeps it. Times count in UTC.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from registry.errors import InvalidField, RetentionRefused

MAX_COUNT = 100_000
COUNTED = ("last", "hourly", "daily", "weekly", "monthly", "yearly")

_BUCKETS: dict[str, Callable[[datetime], str]] = {
    "last": lambda at: at.isoformat(),
    "hourly": lambda at: at.strftime("%Y-%m-%dT%H"),
    "daily": lambda at: at.strftime("%Y-%m-%d"),
    "weekly": lambda at: at.strftime("%G-W%V"),
    "monthly": lambda at: at.strftime("%Y-%m"),
    "yearly": lambda at: at.strftime("%Y"),
}
_SPAN = re.compile(r"(?:(\d{1,5})y)?(?:(\d{1,5})m)?(?:(\d{1,5})w)?(?:(\d{1,6})d)?(?:(\d{1,7})h)?")
_UNIT_DAYS = (365, 30, 7, 1)


@dataclass(frozen=True, slots=True)
class Policy:
    """How many to keep by each rule, by its word in COUNTED; 0 and absent mean that it keeps none.

    `within` None keeps none by age.
    """

    counts: dict[str, int] = field(default_factory=dict)
    within: timedelta | None = None
    tags: frozenset[str] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not (any(self.counts.values()) or self.within or self.tags)


@dataclass(frozen=True, slots=True)
class Dated:
    """What a decision needs to know of a snapshot."""

    name: str
    at: datetime
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a snapshot stays: it does while there are `reasons`."""

    name: str
    reasons: tuple[str, ...]

    @property
    def is_kept(self) -> bool:
        return bool(self.reasons)


def decide(snapshots: Iterable[Dated], policy: Policy) -> tuple[Decision, ...]:
    """What `policy` keeps and why, newest first.

    Raises RetentionRefused for a policy without a rule, and for one that would keep nothing.

    >>> day = lambda n: Dated(f"s{n}", datetime(2026, 1, n, tzinfo=UTC))
    >>> [d.name for d in decide(map(day, (1, 2, 3)), Policy({"last": 2})) if d.is_kept]
    ['s3', 's2']
    """
    if policy.is_empty:
        raise RetentionRefused("the policy keeps nothing: say how many to keep, such as daily=7")
    newest_first = sorted(snapshots, key=lambda one: (one.at, one.name), reverse=True)
    left, seen = dict(policy.counts), dict[str, str]()
    newest = newest_first[0].at if newest_first else None
    decisions = []
    for one in newest_first:
        reasons = [word for word in COUNTED if _takes(word, one, left, seen)]
        if policy.within and newest is not None and newest - one.at <= policy.within:
            reasons.append("within")
        reasons += [f"tag {tag}" for tag in sorted(one.tags & policy.tags)]
        decisions.append(Decision(one.name, tuple(reasons)))
    if decisions and not any(decision.is_kept for decision in decisions):
        raise RetentionRefused("the policy would forget every snapshot: keep at least one")
    return tuple(decisions)


def parse_policy(text: str) -> Policy:
    """A policy as settings write it: `last=3 daily=7 within=2d tag=release`; raises InvalidField.

    >>> parse_policy("daily=7 within=1d12h").within
    datetime.timedelta(days=1, seconds=43200)
    """
    counts: dict[str, int] = {}
    within, tags = None, set()
    for part in text.replace(",", " ").split():
        word, _, value = part.partition("=")
        if word in COUNTED:
            counts[word] = _parse_count(word, value)
        elif word == "within":
            within = parse_span(value)
        elif word == "tag" and value:
            tags.add(value)
        else:
            raise _invalid(
                f"{part!r:.60} is none of {', '.join(COUNTED)}, within, tag (word=value)"
            )
    return Policy(counts, within, frozenset(tags))


def parse_span(text: str) -> timedelta:
    """A span such as `1y6m`, `2w`, `3d12h` (m: months of 30 days); raises InvalidField."""
    found = _SPAN.fullmatch(text)
    if not text or found is None:
        raise _invalid(f"within={text!r:.40} must be a span such as 2d12h, 6m or 1y")
    *days, hours = (int(number or 0) for number in found.groups())
    n_days = sum(n * unit for n, unit in zip(days, _UNIT_DAYS, strict=True))
    return timedelta(days=n_days, hours=hours)


def _takes(word: str, one: Dated, left: dict[str, int], seen: dict[str, str]) -> bool:
    """Whether the rule `word` keeps `one`, the next older snapshot; counts it if so."""
    if left.get(word, 0) <= 0:
        return False
    # Two snapshots of the same second are still two to `last`.
    bucket = one.name if word == "last" else _BUCKETS[word](one.at.astimezone(UTC))
    if seen.get(word) == bucket:
        return False
    seen[word] = bucket
    left[word] -= 1
    return True


def _parse_count(word: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > MAX_COUNT:
        raise _invalid(f"{word} must be a whole number from 0 to {MAX_COUNT}")
    return int(value)


def _invalid(message: str) -> InvalidField:
    return InvalidField(message, details={"field": "keep"})
