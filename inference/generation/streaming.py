"""Tokens → pieces of text that can be shown at once. Pure: decoding is an argument.

A token may hold part of a character, and a tokenizer may write a token differently at the start of
a text than inside it. So a token is decoded together with the ones before it, what those give alone
is taken off, and a character that is not whole yet is held back. Pieces joined are the text.
"""

from collections.abc import Callable, Container, Sequence

Decode = Callable[[Sequence[int]], str]

N_CONTEXT = 6
"""Tokens that are decoded with the new ones, so that these are written as inside a text."""
MAX_HELD = 24
"""Tokens that may wait for a whole character; none has so many bytes."""
_BROKEN = "\ufffd"


class Detokenizer:
    """One sequence's text as it grows.

    `prompt` gives the tokens before it, where they are text; `special` are never shown.
    """

    def __init__(
        self, decode: Decode, prompt: Sequence[int] = (), special: Container[int] = ()
    ) -> None:
        self._decode = decode
        self._special = special
        self._ids = [each for each in prompt[-N_CONTEXT:] if each not in special]
        self._n_shown = len(self._ids)
        self._before = decode(self._ids)

    def add(self, token_id: int) -> str:
        """Return the text that this token makes readable, often that of the token, maybe none."""
        if token_id in self._special:
            return ""
        self._ids.append(token_id)
        text = self._unread()
        if text.endswith(_BROKEN) and len(self._ids) - self._n_shown < MAX_HELD:
            return ""
        if text:
            self._advance()
        return text

    def finish(self) -> str:
        """Return what was held back, characters that stayed broken as U+FFFD."""
        text = self._unread()
        self._advance()
        return text

    def _unread(self) -> str:
        return self._decode(self._ids)[len(self._before) :]

    def _advance(self) -> None:
        del self._ids[:-N_CONTEXT]
        self._n_shown = len(self._ids)
        self._before = self._decode(self._ids)


class StopMatcher:
    """Cuts a text before the first of `stop`; holds back what may be the beginning of one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(stop)
        self._held = ""
        self.has_matched = False

    def add(self, text: str) -> str:
        """Return what may be shown; after a match, nothing more."""
        if not self._stop or self.has_matched:
            return "" if self.has_matched else text
        text = self._held + text
        found = [at for at in (text.find(each) for each in self._stop) if at >= 0]
        if found:
            self.has_matched, self._held = True, ""
            return text[: min(found)]
        n_held = self._n_held(text)
        self._held = text[len(text) - n_held :]
        return text[: len(text) - n_held]

    def finish(self) -> str:
        """Return what was held back, since nothing more comes."""
        held, self._held = self._held, ""
        return held

    def _n_held(self, text: str) -> int:
        longest = max(len(each) for each in self._stop) - 1
        for n in range(min(longest, len(text)), 0, -1):
            if any(each.startswith(text[-n:]) for each in self._stop):
                return n
        return 0


class TextStream:
    """What one sequence shows: whole characters, nothing from a stop text on."""

    def __init__(
        self,
        decode: Decode,
        *,
        prompt: Sequence[int] = (),
        special: Container[int] = (),
        stop: Sequence[str] = (),
    ) -> None:
        self._detokenizer = Detokenizer(decode, prompt, special)
        self._matcher = StopMatcher(stop)
        self._pieces: list[str] = []

    def add(self, token_id: int) -> str:
        return self._keep(self._matcher.add(self._detokenizer.add(token_id)))

    def finish(self) -> str:
        """Return the rest; call it once, after the last token."""
        piece = self._matcher.add(self._detokenizer.finish())
        return self._keep(piece + self._matcher.finish())

    @property
    def has_stopped(self) -> bool:
        """Whether a stop text has been reached."""
        return self._matcher.has_matched

    @property
    def text(self) -> str:
        """All pieces so far."""
        return "".join(self._pieces)

    def _keep(self, piece: str) -> str:
        if piece:
            self._pieces.append(piece)
        return piece
