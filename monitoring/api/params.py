"""Query parameters, read strictly: a name that does not exist is an error, not a shrug."""

from collections.abc import Collection, Mapping
from datetime import datetime

from monitoring.errors import InvalidFilter
from monitoring.models import Source
from monitoring.rollups import By, Scope
from monitoring.windows import parse_window

QUALITY = ("from", "to", "version", "by", "segment", "source")
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
SHADOW = ("from", "to", "version")
_LARGEST_VERSION = 2**31 - 1
_LONGEST = 256


def refuse_unknown(params: Mapping[str, str], known: Collection[str]) -> None:
    """Raise InvalidFilter for a parameter that is not known, is too long or holds NUL."""
    for name, value in params.items():
        if name not in known:
            raise _invalid(name[:50], f"is unknown; known are {', '.join(known)}")
        if len(value) > _LONGEST or "\x00" in value:
            raise _invalid(name, f"must be at most {_LONGEST} characters, without NUL")


def parse_version(text: str | None) -> int | None:
    """A version number, or None. Raises InvalidFilter."""
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LARGEST_VERSION:
        raise _invalid("version", "must be a version number: 1, 2, 3 …")
    return int(text)


def parse_choice(params: Mapping[str, str], name: str, choices: Collection[str]) -> str | None:
    """One of `choices`, or None. Raises InvalidFilter."""
    text = params.get(name)
    if text and text not in choices:
        raise _invalid(name, f"must be one of {', '.join(choices)}")
    return text or None


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


def _invalid(field: str, remedy: str) -> InvalidFilter:
    return InvalidFilter(f"{field!r} {remedy}.", details={"field": field})
