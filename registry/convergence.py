"""Whether replicas that prepare new routes may switch to them (pure).

Prepare → commit: replicas load what is desired, and answer with what is committed. Routes are
committed once every live replica has prepared them, so that no caller sees the new version and then
the old one. One replica that cannot serve them keeps all from it; one that is only slow is waited
for until the deadline, then left behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

# A replica reports once a second; without a word for so long it counts as gone.
ALIVE_S = 5.0
# So long it is still listed: it may only have been held up.
FORGET_S = 30.0


class Verdict(StrEnum):
    """What to do with desired routes."""

    WAIT = "wait"
    COMMIT = "commit"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Standing:
    """One replica and one model: the generations it has prepared, answers with, has failed at."""

    id: str
    is_alive: bool
    prepared: int = 0
    applied: int = 0
    failed: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict; `left` are replicas that a commit leaves behind, `reason` why it fails."""

    verdict: Verdict
    left: tuple[str, ...] = ()
    reason: str = ""


def read_standing(replica_id: str, state: Any, age_s: float) -> Standing:
    """The standing in a replica's report on one model; `age_s` since it reported."""
    known = state if isinstance(state, dict) else {}
    return Standing(
        replica_id,
        age_s <= ALIVE_S,
        prepared=int(known.get("prepared") or 0),
        applied=int(known.get("applied") or 0),
        failed=int(known.get("failed") or 0),
        reason=str(known.get("reason") or ""),
    )


def judge(
    generation: int, standings: Sequence[Standing], *, waited_s: float, deadline_s: float
) -> Judgement:
    """What to do with routes of `generation` that were asked for `waited_s` ago.

    >>> ready, slow = Standing("a", True, prepared=7), Standing("b", True, prepared=6)
    >>> judge(7, [ready, slow], waited_s=1, deadline_s=120).verdict.value
    'wait'
    >>> judge(7, [ready, slow], waited_s=121, deadline_s=120)
    Judgement(verdict=<Verdict.COMMIT: 'commit'>, left=('b',), reason='')
    """
    live = [each for each in standings if each.is_alive]
    failed = [each for each in live if each.failed == generation]
    if failed:
        return Judgement(Verdict.FAIL, reason=f"{failed[0].id}: {failed[0].reason}")
    late = tuple(each.id for each in live if each.prepared != generation)
    if len(late) == len(live) or (late and waited_s < deadline_s):
        return Judgement(Verdict.WAIT)
    return Judgement(Verdict.COMMIT, left=late)


def find_laggards(committed: int, standings: Sequence[Standing]) -> tuple[str, ...]:
    """The replicas that do not answer with the committed routes, silent ones included."""
    return tuple(each.id for each in standings if each.applied < committed)


def age_s(at: datetime, now: datetime) -> float:
    return (now - at).total_seconds()
