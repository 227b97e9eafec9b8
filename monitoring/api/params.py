"""Query parameters, read strictly: a name that does not exist is an error, not a shrug."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from monitoring.errors import InvalidFilter
from monitoring.models import Source
from monitoring.reporting.details import Detail
from monitoring.rollups import By, Scope
from monitoring.windows import parse_window

QUALITY = ("from", "to", "version", "by", "segment", "source", "include")
COMPARISON = ("from", "to", "version", "with", "base_from", "base_to", "segment", "source")
PREDICTIONS = (
    "model",
    "version",
    "label",
    "segment",
    "from",
    "to",
    "labelled",
    "cursor",
    "limit",
)
TIMELINE = ("from", "to", "version", "segment")
SHADOW = ("from", "to", "version")
REFERENCES = ("version", "cursor", "limit")
_LARGEST_VERSION = 2**31 - 1
_LONGEST = 256


def refuse_unknown(params: Mapping[str, str], known: Collection[str]) -> None:
    """Raise InvalidFilter for a parameter that is not known, is too long or holds NUL."""
    for name, value in params.items():
        if name not in known:
            raise _invalid(name[:50], f"is unknown; known are {', '.join(known)}")
        if len(value) > _LONGEST or "\x00" in value:
            raise _invalid(name, f"must be at most {_LONGEST} characters, without NUL")


def parse_version(text: str | None, field: str = "version") -> int | None:
    """A version number, or None. Raises InvalidFilter."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LARGEST_VERSION:
        raise _invalid(field, "must be a version number: 1, 2, 3 …")
    return int(text)


def parse_choice(params: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """One of `choices`, or None. Raises InvalidFilter."""
    text = params.get(name)
    if text and text not in choices:
        raise _invalid(name, f"must be one of {', '.join(choices)}")
    return text or None


def parse_count(params: Mapping[str, str], name: str, default: int, *, at_most: int) -> int:
    """A whole number from 0 to `at_most`. Raises InvalidFilter."""
    text = params.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) > at_most:
        raise _invalid(name, f"must be a whole number from 0 to {at_most}")
    return int(text)


def parse_scope(model: str, params: Mapping[str, str], *, now: datetime) -> Scope:
    """What a quality request asks for. Raises InvalidFilter or InvalidWindow."""
    refuse_unknown(params, QUALITY)
    return Scope(
        model=model,
        window=parse_window(params.get("from"), params.get("to"), now=now),
        version=parse_version(params.get("version")),
        segment=params.get("segment"),
        source=parse_choice(params, "source", Source.values),
        by=By(parse_choice(params, "by", list(By)) or By.NONE),
    )


def parse_timeline(model: str, params: Mapping[str, str], *, now: datetime) -> Scope:
    """What a time line is asked for. Raises InvalidFilter or InvalidWindow."""
    refuse_unknown(params, TIMELINE)
    return parse_scope(model, params, now=now)


def parse_details(text: str | None) -> tuple[Detail, ...]:
    """The parts of a quality report that `text` lists, by commas. Raises InvalidFilter."""
    names = [name for part in (text or "").split(",") if (name := part.strip())]
    if any(name not in list(Detail) for name in names):
        raise _invalid("include", f"must list some of {', '.join(Detail)}, separated by commas")
    return tuple(detail for detail in Detail if detail in names)


def parse_comparison(
    model: str, params: Mapping[str, str], *, now: datetime
) -> tuple[Scope, Scope]:
    """What a comparison asks for: the new side and the base. Raises InvalidFilter, InvalidWindow.

    The base has the version `with` and the window from `base_from` to `base_to`; each is the new
    side's own unless given, and one of them must be.
    """
    refuse_unknown(params, COMPARISON)
    own = {name: params[name] for name in QUALITY if name in params}
    new = parse_scope(model, own, now=now)
    version = parse_version(params.get("with"), "with")
    has_window = params.get("base_from") or params.get("base_to")
    if version is None and not has_window:
        raise _invalid("with", "must name the version to compare with, or 'base_from' a window")
    fields = ("base_from", "base_to")
    start, end = (params.get(name) for name in fields)
    window = parse_window(start, end, now=now, fields=fields) if has_window else new.window
    return new, replace(new, version=version or new.version, window=window)


def _invalid(field: str, remedy: str) -> InvalidFilter:
    return InvalidFilter(f"{field!r} {remedy}.", details={"field": field})
