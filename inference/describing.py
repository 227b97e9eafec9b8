"""What is noted of a text when it is answered: enough to watch traffic without keeping it. Pure.

Hashes are keyed, so that nobody who sees them can try texts or names until one fits.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.redaction import Redactor, Traced
from inference.scripts import main_script
from inference.shortening import encode_within

# As much of a text as tells it from others; a longer one's length is hashed with it.
FINGERPRINT_CHARS = 4096
_TEXT, _SUBJECT = b"text", b"subject"
# What an answer calls a piece of the text, beside its `start` and `end`.
_PIECES = ("word", "answer")


@dataclass(frozen=True, slots=True)
class Described:
    """`text` is what may be kept: redacted, or None. The rest is as in PredictionRecord."""

    text: str | None
    script: str
    is_empty: bool
    fingerprint: int


UNDESCRIBED = Described(text=None, script="", is_empty=False, fingerprint=0)


class Describer:
    """`secret` keys the hashes; without one they mean nothing to another process."""

    def __init__(
        self, *, secret: str = "", stores_text: bool = True, redactor: Redactor | None = None
    ) -> None:
        material = secret.encode() or secrets.token_bytes(32)
        key = hashlib.blake2b(material, digest_size=32, person=b"describing").digest()
        # Keying costs as much as hashing a short text; a copy of a keyed state costs less.
        self._text = hashlib.blake2b(digest_size=8, key=key, person=_TEXT)
        self._subject = hashlib.blake2b(digest_size=16, key=key, person=_SUBJECT)
        self._stores_text, self._redactor = stores_text, redactor

    def describe(self, text: str) -> Described:
        words = text[:FINGERPRINT_CHARS].casefold().split()
        return Described(
            text=self._kept(text),
            script=main_script(text),
            is_empty=not words and not text.strip(),
            fingerprint=self._fingerprint(words, len(text)),
        )

    def answer(self, answer: Mapping[str, Any], text: str, *, counted_from: int = 0) -> str | None:
        """What may be kept of an answer to `text`, as JSON of bounded size: redacted, or None.

        A piece of the text is as redacted as the text is there, whatever part of a match it was;
        places of pieces are counted from the character `counted_from`.
        """
        if not self._stores_text:
            return None
        if self._redactor:
            traced = self._redactor.trace(text)
            answer = _redacted(answer, self._redactor, traced, text, counted_from)
        # Only then cut: half of a match would not be recognised.
        return encode_within(answer)

    def subject(self, name: str) -> str:
        """The keyed hash of whom a text is about, in hex; empty for nobody."""
        if not name:
            return ""
        state = self._subject.copy()
        state.update(name.encode("utf-8", "surrogatepass"))
        return state.hexdigest()

    def _kept(self, text: str) -> str | None:
        if not self._stores_text:
            return None
        return self._redactor.redact(text) if self._redactor else text

    def _fingerprint(self, words: list[str], n_chars: int) -> int:
        """Signed 64 bits of the text with case and blanks evened out, never 0."""
        state = self._text.copy()
        state.update(" ".join(words).encode("utf-8", "surrogatepass"))
        if n_chars > FINGERPRINT_CHARS:
            state.update(n_chars.to_bytes(8, "big"))
        return int.from_bytes(state.digest(), "big", signed=True) or 1


def _redacted(value: Any, redactor: Redactor, traced: Traced, text: str, shift: int) -> Any:
    """`value` with its texts redacted: those that have a place in `text` as it was there."""
    if isinstance(value, str):
        return redactor.redact(value)
    if isinstance(value, list):
        return [_redacted(item, redactor, traced, text, shift) for item in value]
    if not isinstance(value, Mapping):
        return value
    redacted = {
        name: _redacted(item, redactor, traced, text, shift) for name, item in value.items()
    }
    if "start" in value and value["start"] < value["end"]:
        start, end = value["start"] + shift, value["end"] + shift
        shown = traced.part(start, end)
        if shown != text[start:end]:
            redacted |= {name: shown for name in _PIECES if name in value}
    return redacted
