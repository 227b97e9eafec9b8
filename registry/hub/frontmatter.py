"""The YAML at the top of a model card, as plain JSON values (pure)."""

import datetime
import re
from typing import Any

import yaml

MAX_CHARS = 100_000
MAX_DEPTH = 20

_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)(?:\r?\n|\A)---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


class _Loader(yaml.SafeLoader):
    """Safe YAML without aliases: a few lines of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: int) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not allowed in a card")
        return super().compose_node(parent, index)


def read_front_matter(text: str) -> dict[str, Any]:
    """The card's facts, empty where there are none or they cannot be read.

    >>> read_front_matter("---\\nlicense: mit\\ntags: [a, 1]\\n---\\n# A model")
    {'license': 'mit', 'tags': ['a', 1]}
    """
    found = _FRONT.match(text[:MAX_CHARS])
    if not found:
        return {}
    try:
        value = _plain(yaml.load(found[1], _Loader), MAX_DEPTH)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _plain(value: Any, depth: int) -> Any:
    if depth < 0:
        raise ValueError("nested too deeply")
    match value:
        case dict():
            return {str(key): _plain(inner, depth - 1) for key, inner in value.items()}
        case list() | tuple() | set():
            return [_plain(inner, depth - 1) for inner in value]
        case float() if value != value or value in (float("inf"), float("-inf")):
            return str(value)
        case datetime.date():
            return value.isoformat()
        case None | str() | bool() | int() | float():
            return value
    return str(value)
