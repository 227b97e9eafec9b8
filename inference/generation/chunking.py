"""Texts that are longer than a model reads: split where people pause, answered piece by piece.

Pure: tokens are counted, and pieces answered, by functions that are passed in.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from inference.errors import TextTooLong

CountTokens = Callable[[str], int]
Ask = Callable[[Sequence[str]], Awaitable[Sequence[str]]]

MAX_CHUNKS = 256
MAX_LEVELS = 4

_PARAGRAPH = re.compile(r"\n\s*\n")
# After a full stop in most scripts; Chinese and Japanese put no space behind it.
_SENTENCE = re.compile(r"(?<=[.!?…؟।])[\"'”’)\]]*\s+|(?<=[。！？])\s*|\n")
_WORD = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a text, and what stood between it and the next one (nothing after the last)."""

    text: str
    separator: str


@dataclass(frozen=True, slots=True)
class ChunkedAnswer:
    """`n_chunks` is how many pieces were answered in all, `levels` how often the text was gone
    through; 1 and 1 for a text that fitted.
    """

    text: str
    n_chunks: int
    levels: int


def split(
    text: str,
    count_tokens: CountTokens,
    max_tokens: int,
    *,
    max_chunks: int = MAX_CHUNKS,
    keeps_paragraphs: bool = False,
) -> list[Chunk]:
    """Return `text` in pieces of at most `max_tokens`: paragraphs where they fit, else sentences,
    else words, else characters; neighbours that fit together stay together, paragraphs only without
    `keeps_paragraphs`.

    Raises TextTooLong for more than `max_chunks` pieces, ValueError for a `max_tokens` below 1.
    """
    if max_tokens < 1:
        raise ValueError(f"max_tokens must be at least 1, not {max_tokens}.")
    pieces = list(_divided(text.strip(), count_tokens, max_tokens, 0, max_chunks * 64))
    chunks = _packed(pieces, count_tokens, max_tokens, keeps_paragraphs)
    if len(chunks) > max_chunks:
        raise TextTooLong(
            f"The text makes {len(chunks)} pieces that the model can read; {max_chunks} are "
            "allowed. Shorten or split it.",
            details={"limit": max_chunks},
        )
    if chunks:
        chunks[-1] = Chunk(chunks[-1].text, "")
    return chunks


async def answer_chunks(
    text: str,
    ask: Ask,
    count_tokens: CountTokens,
    max_tokens: int,
    *,
    max_chunks: int = MAX_CHUNKS,
) -> ChunkedAnswer:
    """Answer every piece and join the answers as the pieces were joined; for translations."""
    # Counting tokens of a long text takes too long for an event loop.
    chunks = await asyncio.to_thread(
        split, text, count_tokens, max_tokens, max_chunks=max_chunks, keeps_paragraphs=True
    )
    return ChunkedAnswer(await _joined(chunks, ask), len(chunks), 1)


async def summarise(
    text: str,
    ask: Ask,
    count_tokens: CountTokens,
    max_tokens: int,
    *,
    max_chunks: int = MAX_CHUNKS,
    max_levels: int = MAX_LEVELS,
) -> ChunkedAnswer:
    """Answer pieces, join the answers, and go through them again until one piece is left.

    Where `max_levels` are used up, or the answers are no shorter than what was asked, the joined
    answers are the result.
    """
    n_chunks = 0
    for level in range(1, max_levels + 1):
        chunks = await asyncio.to_thread(
            split, text, count_tokens, max_tokens, max_chunks=max_chunks
        )
        n_chunks += len(chunks)
        joined = await _joined(chunks, ask)
        if len(chunks) <= 1 or len(joined) >= len(text) or not joined.strip():
            return ChunkedAnswer(joined, n_chunks, level)
        text = joined
    return ChunkedAnswer(text, n_chunks, max_levels)


async def _joined(chunks: Sequence[Chunk], ask: Ask) -> str:
    if not chunks:
        return ""
    answers = await ask([chunk.text for chunk in chunks])
    pairs = zip(answers, chunks, strict=True)
    return "".join(answer.strip() + chunk.separator for answer, chunk in pairs)


_RULES = (_PARAGRAPH, _SENTENCE, _WORD)
_SEPARATORS = ("\n\n", " ", " ")


def _divided(
    text: str, count_tokens: CountTokens, max_tokens: int, depth: int, most: int
) -> Iterable[Chunk]:
    """Yield pieces that fit, each with what joins it to the next piece of its own depth."""
    if not text:
        return
    if count_tokens(text) <= max_tokens:
        yield Chunk(text, "")
        return
    if depth == len(_RULES):
        # Halves: a character may have many tokens, so no length is known to fit.
        middle = len(text) // 2
        if not middle:
            raise TextTooLong("One character has more tokens than the model takes.")
        for half in (text[:middle], text[middle:]):
            yield from _divided(half, count_tokens, max_tokens, depth, most)
        return
    parts = [part.strip() for part in _RULES[depth].split(text)]
    parts = [part for part in parts if part]
    if len(parts) > most:
        raise TextTooLong("The text has too many pieces. Shorten or split it.")
    for at, part in enumerate(parts):
        inner = list(_divided(part, count_tokens, max_tokens, depth + 1, most))
        if at < len(parts) - 1 and inner:
            inner[-1] = Chunk(inner[-1].text, _SEPARATORS[depth])
        yield from inner


def _packed(
    pieces: Sequence[Chunk], count_tokens: CountTokens, max_tokens: int, keeps_paragraphs: bool
) -> list[Chunk]:
    chunks: list[Chunk] = []
    for piece in pieces:
        if chunks and not (keeps_paragraphs and chunks[-1].separator == "\n\n"):
            together = chunks[-1].text + chunks[-1].separator + piece.text
            if count_tokens(together) <= max_tokens:
                chunks[-1] = Chunk(together, piece.separator)
                continue
        chunks.append(piece)
    return chunks
