"""How the text of an environment variable becomes a value; each raises ValueError with what it
expects.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference.redaction import check_names, read_patterns

Parse = Callable[[str], Any]


def boolean(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected on or off")


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def origins(text: str) -> list[str]:
    found = [part.rstrip("/") for part in listed(text)]
    if not all(re.fullmatch(r"https?://[A-Za-z0-9._:\[\]-]+", origin) for origin in found):
        raise ValueError("expected https://host or http://host:port, without a path")
    return found


def public_url(text: str) -> str:
    if text and not re.fullmatch(r"https?://[A-Za-z0-9._:\[\]/~-]{1,200}", text):
        raise ValueError("expected https://host, without a query")
    return text.rstrip("/")


def mail_url(text: str) -> str:
    known = r"(smtps?|smtp\+(tls|ssl)|(console|file|memory|dummy)mail)"
    if text and not re.fullmatch(known + r"://.*", text):
        raise ValueError("expected smtp://, smtp+tls:// or smtp+ssl://")
    if text.startswith("smtp") and not re.search(r":\d{1,5}/?$", text):
        raise ValueError("expected a port at the end, such as :587")
    return text


def at_least(lowest: int) -> Parse:
    def parse(text: str) -> int:
        number = int(text)
        if number < lowest:
            raise ValueError(f"expected a whole number of at least {lowest}")
        return number

    return parse


def none_or_from(lowest: int, highest: int) -> Parse:
    def parse(text: str) -> int:
        number = int(text)
        if number and not lowest <= number <= highest:
            raise ValueError(f"expected 0, or a whole number from {lowest} to {highest}")
        return number

    return parse


def between(lowest: int, highest: int) -> Parse:
    def parse(text: str) -> int:
        number = int(text)
        if not lowest <= number <= highest:
            raise ValueError(f"expected a whole number from {lowest} to {highest}")
        return number

    return parse


def redactions(text: str) -> list[str]:
    return check_names(listed(text))


def redaction_patterns(text: str) -> dict[str, str]:
    try:
        return read_patterns(Path(text).expanduser()) if text else {}
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error}") from error


def seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 86_400:
        raise ValueError("expected seconds, above 0 and at most 86400")
    return number


def one_of(*choices: str) -> Parse:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return text.lower()

    return parse


def named(text: str) -> dict[str, str]:
    """`name=value` pairs, separated by commas, in their order."""
    pairs = {}
    for part in listed(text):
        name, equals, value = part.partition("=")
        is_name = re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name.strip())
        if not (equals and value.strip() and is_name):
            raise ValueError("expected name=value, several separated by commas")
        pairs[name.strip()] = value.strip()
    return pairs
