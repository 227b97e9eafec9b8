"""What must not be kept of a text is replaced first: by named patterns, in linear time. Pure.

Patterns are RE2's (https://github.com/google/re2/wiki/Syntax): matching takes time proportional to
the text, whatever the text and the pattern are, so no caller can make a pattern slow. What RE2
cannot promise this for (back-references, look-around) it refuses.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_PATTERNS = 100
LONGEST_PATTERN = 1000
_LARGEST_FILE = 256 * 1024
_NAME = re.compile(r"[a-z0-9_-]{1,40}")
_DIGITS = re.compile(r"\D")

# In the order in which they are applied: what is more telling goes before what is shorter.
BUILT_IN: Mapping[str, str] = {
    "email": r"[\pL\pN._%+-]+@(?:[\pL\pN-]+\.)+[\pL]{2,24}",
    "iban": r"\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b",
    "card": r"\b[0-9](?:[ -]?[0-9]){12,18}\b",
    "ip": (
        r"\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b"
        r"|(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"
        r"|(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}"
    ),
    "phone": (
        r"(?:\+|\b00)[1-9](?:[ ./()-]{0,2}[0-9]){6,14}\b"
        r"|\b0(?:[ ./()-]{0,2}[0-9]){7,12}\b"
        r"|(?:\b|\()[2-9][0-9]{2}\)?[ .-][0-9]{3}[ .-][0-9]{4}\b"
    ),
}


@dataclass(frozen=True, slots=True)
class Traced:
    """A redacted text, and of each of its characters where what it stands for begins and ends."""

    text: str
    begins: Sequence[int]
    ends: Sequence[int]

    def part(self, start: int, end: int) -> str:
        """What became of the characters [start, end) of the text as it was: no part of a match."""
        return self.text[bisect_right(self.ends, start) : bisect_left(self.begins, end)]


class Redactor:
    """Replaces what matches by the pattern's name in brackets.

    >>> Redactor(["email"], {"ticket": r"TCK-[0-9]+"}).redact("TCK-7 is of ann@example.org.")
    '[ticket] is of [email].'
    """

    def __init__(
        self, names: Iterable[str] = (), patterns: Mapping[str, str] | None = None
    ) -> None:
        """Use the built-in patterns called `names`, then `patterns`. Raises ValueError for a name
        that is not known or a pattern that RE2 refuses.
        """
        chosen = check_names(names)
        built_in = [(name, BUILT_IN[name]) for name in BUILT_IN if name in chosen]
        own = list((patterns or {}).items())
        # Own patterns first: who wrote them knows the texts better.
        self._steps = [(_compiled(name, text), _kept(name)) for name, text in (*own, *built_in)]

    def __bool__(self) -> bool:
        return bool(self._steps)

    def redact(self, text: str) -> str:
        for pattern, replacement in self._steps:
            text = pattern.sub(replacement, text)
        return text

    def trace(self, text: str) -> Traced:
        """As `redact`, for who must know where something was replaced."""
        begins, ends = list(range(len(text))), list(range(1, len(text) + 1))
        for pattern, replacement in self._steps:
            pieces: list[str] = []
            new_begins: list[int] = []
            new_ends: list[int] = []
            done = 0
            for match in pattern.finditer(text):
                first, last = match.span()
                shown = replacement if isinstance(replacement, str) else replacement(match)
                if shown == match.group():
                    continue
                pieces += (text[done:first], shown)
                new_begins += begins[done:first] + [begins[first]] * len(shown)
                new_ends += ends[done:first] + [ends[last - 1]] * len(shown)
                done = last
            text = "".join(pieces) + text[done:]
            begins, ends = new_begins + begins[done:], new_ends + ends[done:]
        return Traced(text, begins, ends)


def check_names(names: Iterable[str]) -> list[str]:
    """`names`, if all are of built-in patterns. Raises ValueError otherwise."""
    given = list(names)
    for name in given:
        if name not in BUILT_IN:
            raise ValueError(f"{name!r} is no pattern; there are {', '.join(BUILT_IN)}")
    return given


def read_patterns(path: Path) -> dict[str, str]:
    """The `name=regex` lines of a file; blank lines and those that begin with # are skipped.

    Raises ValueError that names the line, and OSError.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f"{path} is larger than {_LARGEST_FILE} bytes")
    patterns: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, text = line.partition("=")
        try:
            _check_line(name.strip(), equals + text, patterns)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        patterns[name.strip()] = text.strip()
    return patterns


def _check_line(name: str, rest: str, patterns: Mapping[str, str]) -> None:
    if not (_NAME.fullmatch(name) and rest[1:].strip()):
        raise ValueError("expected name=regex, the name of a-z, 0-9, _ and -")
    if name in patterns or name in BUILT_IN:
        raise ValueError(f"the name {name!r} is taken")
    if len(patterns) == MOST_PATTERNS:
        raise ValueError(f"more than {MOST_PATTERNS} patterns")
    _compiled(name, rest[1:].strip())


def _compiled(name: str, text: str) -> Any:
    import re2

    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"{name!r} is longer than {LONGEST_PATTERN} characters")
    options = re2.Options()
    options.log_errors = False
    try:
        pattern = re2.compile(text, options)
    except re2.error as error:
        shown = error.args[0] if error.args else error
        said = shown.decode() if isinstance(shown, bytes) else shown
        raise ValueError(f"RE2 cannot use {name!r}: {said}") from None
    if pattern.search("") is not None:
        raise ValueError(f"{name!r} matches the empty text")
    return pattern


def _kept(name: str) -> str | Callable[[Any], str]:
    """What a match is replaced by; digits that are no card number stay as they are."""
    shown = f"[{name}]"
    if name != "card":
        return shown
    return lambda match: shown if _is_card(match.group()) else match.group()


def _is_card(text: str) -> bool:
    """Whether the check digit is right (Luhn, ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in _DIGITS.sub("", text)]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
