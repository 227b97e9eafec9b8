"""An answer as JSON of bounded size: what does not fit is left out, and said to be. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

MAX_ANSWER_BYTES = 8 * 1024
CUT = "is_cut"
_ENDING = "…"


def encode_within(answer: Mapping[str, Any], max_bytes: int = MAX_ANSWER_BYTES) -> str:
    """`answer` as JSON of at most `max_bytes` bytes; `is_cut` is true in it where it lacks some.

    Texts keep their beginnings and end in "…", lists their first items; objects in lists are whole
    or not there at all. An answer has a dozen fields at most. Raises UnicodeEncodeError for half of
    a surrogate pair.

    >>> encode_within({"text": "a story that is rather long", "n": 3}, 42)
    '{"text":"a story …","n":3,"is_cut":true}'
    """
    encoded = msgspec.json.encode(answer)
    if len(encoded) <= max_bytes:
        return encoded.decode()
    # What is short stays whole, so that a long text does not cost the fields after it.
    long = [
        name
        for name in answer
        if _has_items(answer[name]) and _size(answer[name]) > max_bytes // 16
    ]
    # An empty list takes as much as an empty text.
    cut = {**answer, **dict.fromkeys(long, ""), CUT: True}
    for name in long:
        cut[name] = _beginning(answer[name], max_bytes - _size(cut) + 2)
    return msgspec.json.encode(cut).decode()


def _has_items(value: object) -> bool:
    return isinstance(value, (str, list))


def _size(value: object) -> int:
    return len(msgspec.json.encode(value))


def _beginning(value: Any, room: int) -> Any:
    """As much of a text or list as `room` bytes of JSON hold, which are at least two."""
    if _size(value) <= room:
        return value
    return _first_chars(value, room) if isinstance(value, str) else _first_items(value, room)


def _first_chars(text: str, room: int) -> str:
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        fits = _size(text[:middle] + _ENDING) <= room
        low, high = (middle, high) if fits else (low, middle - 1)
    return text[:low] + _ENDING if low else ""


def _first_items(items: Sequence[Any], room: int) -> list[Any]:
    kept: list[Any] = []
    left = room - 1
    for item in items:
        # A comma or the closing bracket follows each.
        size = _size(item) + 1
        if size > left:
            if _has_items(item) and left > 2:
                kept.append(_beginning(item, left - 1))
            break
        kept.append(item)
        left -= size
    return kept
