"""Which of very many points are shown: none that is bad is lost among good ones. Pure."""

from collections.abc import Iterable

from monitoring.verdicts import Verdict

_BY_WEIGHT = (Verdict.INSUFFICIENT_DATA, Verdict.OK)

# A monitor, a stretch of time, a verdict, and the id of the newest evaluation with all three.
Grouped = tuple[int, int, str, int]


def choose_shown(rows: Iterable[Grouped]) -> list[int]:
    """Of each monitor and stretch the newest of the worst verdict; ids, ascending.

    >>> choose_shown([(1, 0, "DRIFT", 5), (1, 0, "OK", 9), (1, 1, "OK", 12)])
    [5, 12]
    """
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for monitor, stretch, verdict, newest in rows:
        key, found = (monitor, stretch), (_weight(verdict), newest)
        if key not in best or found > best[key]:
            best[key] = found
    return sorted(newest for _, newest in best.values())


def _weight(verdict: str) -> int:
    """Whatever is bad weighs most."""
    return _BY_WEIGHT.index(Verdict(verdict)) if verdict in _BY_WEIGHT else len(_BY_WEIGHT)
