"""The YAML at the head of a model card, read as the Hub reads it and with bounds (pure).

YAML 1.2's core words only: `no` is the language, not False. Aliases are refused: a few of them can
stand for billions of values.
"""

import math
import re
from typing import Any, NamedTuple

import yaml

MAX_YAML_CHARS = 512 * 1024
MAX_DEPTH = 40
MAX_VALUES = 50_000

_FRONT = re.compile(
    r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)


class InvalidFrontMatter(ValueError):
    """The front matter cannot be read; the message says why, in one sentence."""


class Parts(NamedTuple):
    """A card's YAML text (None without any) and the text after it."""

    yaml: str | None
    body: str


def split(text: str) -> Parts:
    """Take a card apart.

    >>> split("---\\nlicense: mit\\n---\\n# A")
    Parts(yaml='license: mit\\n', body='# A')
    """
    found = _FRONT.match(text)
    return Parts(found[1], text[found.end() :]) if found else Parts(None, text)


def parse(text: str) -> dict[str, Any]:
    """The front matter's values as plain JSON values; raises InvalidFrontMatter.

    A number that JSON cannot say (NaN, infinity) becomes None.

    >>> parse("language: no\\ntags: [a, b]")
    {'language': 'no', 'tags': ['a', 'b']}
    """
    if len(text) > MAX_YAML_CHARS:
        raise InvalidFrontMatter(f"the front matter is over {MAX_YAML_CHARS} characters")
    try:
        _check_events(text)
        values = yaml.load(text, Loader=_Loader)  # noqa: S506 - a subclass of the safe loader
    except (
        yaml.YAMLError,
        ValueError,
        RecursionError,
        AttributeError,
        KeyError,
        TypeError,
    ) as error:
        if isinstance(error, InvalidFrontMatter):
            raise
        raise InvalidFrontMatter(f"the front matter is not valid YAML{_place(error)}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InvalidFrontMatter("the front matter must be a mapping of fields")
    plain: dict[str, Any] = _plain(values)
    return plain


def _check_events(text: str) -> None:
    depth = n_values = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidFrontMatter("the front matter may not use aliases (*name)")
        n_values += isinstance(event, yaml.ScalarEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or n_values > MAX_VALUES:
            raise InvalidFrontMatter("the front matter is too deep or holds too many values")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    raise InvalidFrontMatter(f"the front matter holds a {type(value).__name__}, use text instead")


def _key(key: Any) -> str:
    if isinstance(key, str | bool | int | float) or key is None:
        return key if isinstance(key, str) else str(key)
    raise InvalidFrontMatter("a field's name must be text")


def _place(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    said = f": {problem}" if problem else ""
    return f"{said} (line {mark.line + 1} of it)" if mark else said


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader with YAML 1.2's core words, and no field twice."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if key.value.__hash__ and key.value in seen:
                raise InvalidFrontMatter(f"the front matter has {str(key.value)!r:.80} twice")
            if isinstance(key.value, str):
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_int(self, node: Any) -> int:
        text = str(self.construct_scalar(node))
        return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_int)
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("null", r"~|null|Null|NULL|", "~nN"),
):
    _chars = [*_first, ""] if _tag == "null" else list(_first)
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), _chars
    )
