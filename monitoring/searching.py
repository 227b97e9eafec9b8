"""Looking for kept predictions: by text, label, score, version, time, segment, right or wrong.

Lists walk ids, which are ordered by time (uuid7), so page 1,000 costs what page 1 costs. What no
index answers is looked for among the newest 200,000 predictions below the page's beginning, and
whoever asks is told how far that was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, QuerySet, Subquery

from monitoring.errors import InvalidFilter
from monitoring.models import Feedback, Prediction, RouteKind
from monitoring.windows import Window, parse_window

PAGE_ROWS = 50
MOST_SCANNED = 200_000
_LARGEST_VERSION = 2**31 - 1
_LONGEST = 256
# An id is made when the request comes, the time when the answer is ready, and clocks differ.
_SLACK = timedelta(minutes=10)
_UNIT_MS = timedelta(milliseconds=1)


class Known(StrEnum):
    """What somebody said of a prediction: nothing, something, what it said itself, or another."""

    YES = "yes"
    NO = "no"
    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which predictions are looked for; what is None or empty does not narrow it."""

    window: Window
    model: str = ""
    version: int | None = None
    text: str = ""
    label: str = ""
    score_from: float | None = None
    score_to: float | None = None
    segment: str = ""
    known: Known | None = None
    route: str = ""
    is_truncated: bool | None = None

    @property
    def scans(self) -> bool:
        """Whether rows must be looked at one by one: no index answers all that is asked."""
        return any(
            (
                self.version is not None,
                self.text,
                self.label,
                self.score_from is not None,
                self.score_to is not None,
                self.segment,
                self.known,
                self.route,
                self.is_truncated is not None,
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page, newest first. `following` is the id below which the next one begins, if any.

    `scanned_to` is the time of the oldest prediction looked at where the search gave up before the
    end of its window, otherwise None.
    """

    rows: tuple[Prediction, ...]
    following: UUID | None
    scanned_to: datetime | None


FIELDS = (
    "model",
    "version",
    "text",
    "label",
    "score_from",
    "score_to",
    "segment",
    "known",
    "route",
    "truncated",
    "from",
    "to",
)


def parse_search(query: Mapping[str, str], *, now: datetime) -> Search:
    """Read a query's fields; others are left alone. Raises InvalidFilter and InvalidWindow."""
    given = {name: query.get(name, "").strip() for name in FIELDS}
    for name, value in given.items():
        if len(value) > _LONGEST or "\x00" in value:
            raise _invalid(name, f"must be at most {_LONGEST} characters, without NUL")
    truncated = _choice(given, "truncated", ("yes", "no"))
    return Search(
        window=parse_window(given["from"], given["to"], now=now),
        model=given["model"],
        version=_version(given["version"]),
        text=given["text"],
        label=given["label"],
        score_from=_score(given, "score_from"),
        score_to=_score(given, "score_to"),
        segment=given["segment"],
        known=Known(known) if (known := _choice(given, "known", tuple(Known))) else None,
        route=_choice(given, "route", tuple(RouteKind.values)),
        is_truncated=None if not truncated else truncated == "yes",
    )


def load_page(search: Search, *, below: UUID | None = None, n_rows: int = PAGE_ROWS) -> Found:
    """The newest predictions that `search` means, those with ids below `below` if it is given."""
    indexed = _indexed(search, below)
    floor = _floor(indexed) if search.scans else None
    if floor is not None:
        indexed = indexed.filter(id__gte=floor)
    rows = list(_narrowed(indexed, search).order_by("-id")[: n_rows + 1])
    if len(rows) > n_rows:
        return Found(rows=tuple(rows[:n_rows]), following=rows[n_rows - 1].id, scanned_to=None)
    return Found(rows=tuple(rows), following=floor, scanned_to=_time_of(floor) if floor else None)


def matching(search: Search) -> QuerySet[Prediction]:
    """All that `search` means, oldest first, however many rows that takes to find."""
    return _narrowed(_indexed(search, None), search).order_by("at", "id")


def _indexed(search: Search, below: UUID | None) -> QuerySet[Prediction]:
    """What the index of ids alone picks out: model and time."""
    start, end = search.window.start - _SLACK, search.window.end + _SLACK
    rows = Prediction.objects.filter(id__gte=_first_id(start), id__lt=_first_id(end))
    if below is not None:
        rows = rows.filter(id__lt=below)
    return rows.filter(model=search.model) if search.model else rows


def _narrowed(rows: QuerySet[Prediction], search: Search) -> QuerySet[Prediction]:
    filters: dict[str, Any] = {"at__gte": search.window.start, "at__lt": search.window.end}
    asked = {
        "version": search.version,
        "text__icontains": search.text or None,
        "label": search.label or None,
        "score__gte": search.score_from,
        "score__lte": search.score_to,
        "segment": search.segment or None,
        "route": search.route or None,
        "truncated": search.is_truncated,
    }
    filters |= {lookup: value for lookup, value in asked.items() if value is not None}
    rows = rows.filter(**filters)
    said = Feedback.objects.filter(prediction=OuterRef("pk"))
    match search.known:
        case Known.YES:
            return rows.filter(Exists(said))
        case Known.NO:
            return rows.filter(~Exists(said))
        case Known.RIGHT | Known.WRONG as side:
            latest = Subquery(said.order_by("-revision").values("label")[:1])
            rows = rows.annotate(counting=latest).filter(counting__isnull=False)
            is_right = {"counting": F("label")}
            return rows.filter(**is_right) if side is Known.RIGHT else rows.exclude(**is_right)
    return rows


def _floor(rows: QuerySet[Prediction]) -> UUID | None:
    """The id of the last row that is looked at, None where all are."""
    return (
        rows.order_by("-id").values_list("id", flat=True)[MOST_SCANNED : MOST_SCANNED + 1].first()
    )


def _first_id(at: datetime) -> UUID:
    """What every uuid7 of a later time is greater than."""
    milliseconds = max(0, (at - datetime.fromtimestamp(0, UTC)) // _UNIT_MS)
    return UUID(int=milliseconds << 80)


def _time_of(id: UUID) -> datetime:
    return datetime.fromtimestamp((id.int >> 80) / 1000, UTC)


def _version(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _LARGEST_VERSION):
        raise _invalid("version", "must be a version number, such as 3")
    return int(text)


def _score(given: Mapping[str, str], name: str) -> float | None:
    text = given[name]
    if not text:
        return None
    try:
        score = float(text)
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise _invalid(name, "must be a number from 0 to 1")
    return score


def _choice(given: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    if given[name] and given[name] not in choices:
        raise _invalid(name, f"must be one of {', '.join(choices)}")
    return given[name]


def _invalid(field: str, remedy: str) -> InvalidFilter:
    return InvalidFilter(f"{field!r} {remedy}.", details={"field": field})
