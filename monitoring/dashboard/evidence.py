"""What an evaluation rests on, as figures and tables that people can read. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.dashboard.alert_words import FAMILIES

MOST_ROWS = 20
_MOST_DEPTH = 3
NAMES = {
    "e_value": "evidence (e-value)",
    "n": "items",
    "p_value": "p-value",
    "ece": "calibration error",
    "ece_by_chance": "calibration error by chance",
    "ece_p_value": "p-value of the calibration error",
    "p95_s": "95th percentile now, s",
    "p95_before_s": "95th percentile before, s",
    "n_slow": "slow answers",
    "n_answered": "answered requests",
    "sd": "standard deviation",
    "z": "z",
    "reference": "reference share",
    "window": "window share",
    "estimated_loss": "estimated loss of accuracy",
    "median_s": "median, s",
    "median_tokens": "median length, tokens",
    "is_sufficient": "enough data",
}
_OWN_FIGURES = ("n_window", "n_reference", "value", "threshold", "p_value", "effect")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its name and what it means."""

    name: str
    value: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Cells are text; `columns` name them."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column, whether all its cells are numbers."""
        return tuple(all(_is_number(row[i]) for row in self.rows) for i in range(len(self.columns)))

    @property
    def heads(self) -> tuple[tuple[str, bool], ...]:
        return tuple(zip(self.columns, self.numeric, strict=True))

    @property
    def lines(self) -> tuple[tuple[tuple[str, bool], ...], ...]:
        """Each row's cells with whether their column is one of numbers."""
        return tuple(tuple(zip(row, self.numeric, strict=True)) for row in self.rows)


def tables_of(details: Mapping[str, Any]) -> tuple[Table, ...]:
    """The tables within an evaluation's details: families of detectors, streams, shares …"""
    tables = []
    if families := details.get("families"):
        tables += _families("What each family of detectors says", families)
    for name, part in (details.get("segments") or {}).items():
        tables += _families(f"Segment {name or '(none)'}", part)[:1]
    for name, value in details.items():
        if name not in ("families", "segments"):
            tables += _tables(title_of(name), value, 0)
    return tuple(tables)


def figures_of(details: Mapping[str, Any]) -> tuple[Figure, ...]:
    """The single values of an evaluation's details, but for those that it has fields for."""
    return tuple(
        Figure(title_of(name), show(value))
        for name, value in details.items()
        if name not in _OWN_FIGURES and not isinstance(value, Mapping | list | tuple)
    )


def show(value: Any) -> str:
    """A value in a few characters; nothing is a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list | tuple):
        return ", ".join(show(each) for each in value[:MOST_ROWS])
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {show(each)}" for name, each in value.items())
    return str(value)


def title_of(name: str) -> str:
    """A field's name as people read it."""
    return NAMES.get(name, name.replace("_", " "))


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "–"
    if value and (abs(value) < 1e-3 or abs(value) >= 1e6):
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _is_number(text: str) -> bool:
    return text == "–" or text.replace(",", "").replace("%", "").strip()[:1].isdigit()


def _families(title: str, families: Mapping[str, Any]) -> list[Table]:
    """The verdicts, and for what drifts the numbers that the deciding detector gives."""
    columns = ("Family", "Verdict", "Detector", "p-value", "compared with", "effect")
    rows = tuple(
        (
            FAMILIES.get(name, name),
            show(found.get("verdict")),
            show(found.get("detector")).replace("_", " "),
            show(found.get("p_value")),
            show(found.get("alpha")),
            show(found.get("effect")),
        )
        for name, found in families.items()
    )
    tables = [Table(title, columns, rows)]
    for name, found in families.items():
        told, details = FAMILIES.get(name, name), found.get("details") or {}
        if _is_even(details):
            tables += _tables(told, details, 0)
            continue
        for field, value in details.items():
            tables += _tables(f"{told}: {title_of(field)}", value, 0)
    return tables


def _is_even(details: Mapping[str, Any]) -> bool:
    """Whether every field holds the same single values, so that they make one table."""
    parts = list(details.values())
    return all(
        isinstance(part, Mapping)
        and part.keys() == parts[0].keys()
        and not any(isinstance(each, Mapping | list) for each in part.values())
        for part in parts
    )


def _tables(title: str, value: Any, depth: int) -> list[Table]:
    """Whatever JSON holds, as tables; single values and what is nested too deeply are left out."""
    if depth >= _MOST_DEPTH or not value:
        return []
    if isinstance(value, Mapping):
        if all(isinstance(each, Mapping) for each in value.values()):
            return [_of_rows(title, [{"name": key, **each} for key, each in value.items()])]
        rows = tuple((title_of(str(key)), show(each)) for key, each in value.items())
        return [Table(title, ("name", "value"), rows[:MOST_ROWS])]
    if isinstance(value, list) and all(isinstance(each, Mapping) for each in value):
        return [_of_rows(title, value)]
    if isinstance(value, list):
        return [Table(title, ("value",), tuple((show(each),) for each in value[:MOST_ROWS]))]
    return []


def _of_rows(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return Table(
        title,
        tuple(title_of(name) for name in names),
        tuple(tuple(show(row.get(name)) for name in names) for row in rows[:MOST_ROWS]),
    )
