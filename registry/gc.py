"""Which commits, versions and blobs are needed, and by what (pure).

Marked are: what refs name, earlier commits of branches for a while, versions that may be routed or
are, versions retired lately or still loaded somewhere, and leased blobs. What is left may go.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why something stays (first ones win), or why it may go."""

    ROUTED = "routed: live, canary, shadow or previous"
    LOADED = "loaded by a serving process"
    SEALED = "sealed or damaged version"
    REF = "branch, tag or alias"
    RETIRED_LATELY = "version retired lately"
    HISTORY = "earlier commit of a branch"
    LEASED = "leased by an upload or other work"
    RETIRED = "version retired long ago"
    OLD_HISTORY = "earlier commit, over its time"
    UNREACHABLE = "commit that no branch leads to"
    UNUSED = "held by nothing"


@dataclass(frozen=True, slots=True)
class CommitFacts:
    """A commit; `parent` is an id of the same model, or empty."""

    id: int
    model: int
    oid: str
    parent: str
    at: datetime
    blobs: frozenset[str]


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """A version; `commit` is the id of the commit it was sealed from. `retired_at` None: it is not.

    `is_routed` counts every route there is or may be returned to; `is_loaded` says that a serving
    process has it.
    """

    id: int
    commit: int | None
    retired_at: datetime | None
    is_routed: bool
    is_loaded: bool
    blobs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """The registry as the marking sees it. `tips` are ids of commits named by refs.

    `branch_tips` are those of branches, whose ancestors are looked at too.
    """

    commits: tuple[CommitFacts, ...]
    versions: tuple[VersionFacts, ...]
    tips: frozenset[int]
    branch_tips: frozenset[int]
    leased: frozenset[str]
    blobs: Mapping[str, int]


@dataclass(slots=True)
class Marks:
    """What stays and why, by id (sha256 for blobs), and why the rest may go."""

    commits: dict[int, Reason] = field(default_factory=dict)
    versions: dict[int, Reason] = field(default_factory=dict)
    blobs: dict[str, Reason] = field(default_factory=dict)
    spare_commits: dict[int, Reason] = field(default_factory=dict)
    spare_versions: dict[int, Reason] = field(default_factory=dict)
    spare_blobs: dict[str, Reason] = field(default_factory=dict)

    def totals(self, sizes: Mapping[str, int]) -> dict[str, dict[str, tuple[int, int]]]:
        """Blobs and their bytes by reason, kept and spare."""
        return {"kept": _sum(self.blobs, sizes), "spare": _sum(self.spare_blobs, sizes)}


def mark(facts: Facts, *, now: datetime, keep: timedelta) -> Marks:
    """What is needed at `now`, when history and retired versions are kept for `keep`."""
    marks = Marks()
    by_oid = {(commit.model, commit.oid): commit for commit in facts.commits}
    by_id = {commit.id: commit for commit in facts.commits}
    for version in facts.versions:
        reason = _why_version(version, now - keep)
        if reason is None:
            marks.spare_versions[version.id] = Reason.RETIRED
            continue
        marks.versions[version.id] = reason
        if version.commit in by_id:
            marks.commits.setdefault(by_id[version.commit].id, reason)
    for tip in facts.tips & by_id.keys():
        marks.commits.setdefault(tip, Reason.REF)
    reachable = set(_ancestors((by_id[tip] for tip in facts.branch_tips & by_id.keys()), by_oid))
    for commit in facts.commits:
        if commit.id in marks.commits:
            continue
        if commit.at > now - keep:
            # One that no branch leads to (any more) is given the same time.
            marks.commits[commit.id] = Reason.HISTORY
        else:
            is_reachable = commit.id in reachable
            marks.spare_commits[commit.id] = (
                Reason.OLD_HISTORY if is_reachable else Reason.UNREACHABLE
            )
    _mark_blobs(facts, marks)
    return marks


def _why_version(version: VersionFacts, since: datetime) -> Reason | None:
    if version.is_routed:
        return Reason.ROUTED
    if version.is_loaded:
        return Reason.LOADED
    if version.retired_at is None:
        return Reason.SEALED
    return Reason.RETIRED_LATELY if version.retired_at > since else None


def _ancestors(
    tips: Iterable[CommitFacts], by_oid: Mapping[tuple[int, str], CommitFacts]
) -> set[int]:
    seen: set[int] = set()
    waiting = list(tips)
    while waiting:
        commit = waiting.pop()
        if commit.id not in seen:
            seen.add(commit.id)
            parent = by_oid.get((commit.model, commit.parent))
            waiting += [parent] if parent else []
    return seen


def _mark_blobs(facts: Facts, marks: Marks) -> None:
    order = list(Reason)
    for held, kept, spare in (
        (facts.versions, marks.versions, marks.spare_versions),
        (facts.commits, marks.commits, marks.spare_commits),
    ):
        for holder in held:
            into = marks.blobs if holder.id in kept else marks.spare_blobs
            reason = kept.get(holder.id) or spare[holder.id]
            for blob in holder.blobs:
                into[blob] = min(into.get(blob, reason), reason, key=order.index)
    for blob in facts.leased:
        marks.blobs.setdefault(blob, Reason.LEASED)
    for blob in facts.blobs:
        if blob in marks.blobs:
            marks.spare_blobs.pop(blob, None)
        else:
            marks.spare_blobs.setdefault(blob, Reason.UNUSED)


def _sum(reasons: Mapping[str, Reason], sizes: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    totals: dict[str, tuple[int, int]] = {}
    for blob, reason in reasons.items():
        n_blobs, n_bytes = totals.get(reason.value, (0, 0))
        totals[reason.value] = n_blobs + 1, n_bytes + sizes.get(blob, 0)
    return totals
