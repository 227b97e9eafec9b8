"""What is noted of a text when it is answered: enough to watch traffic without keeping it. Pure.

Hashes are keyed, so that nobody who sees them can try texts or names until one fits.
"""

import hashlib
import secrets
from dataclasses import dataclass

from inference.redaction import Redactor
from inference.scripts import main_script

# As much of a text as tells it from others; a longer one's length is hashed with it.
FINGERPRINT_CHARS = 4096
_TEXT, _SUBJECT = b"text", b"subject"


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
