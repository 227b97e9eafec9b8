"""How likely written tokens were, as OpenAI's clients read it. Pure.

Nothing is said of tokens that were not chosen: `top_logprobs` are empty.
"""

from collections.abc import Iterator, Sequence

from inference.http.openai_messages import ChatLogprobs, CompletionLogprobs, TokenLogprob
from inference.http.writing import Piece


def chat_logprobs(pieces: Sequence[Piece]) -> ChatLogprobs | None:
    """None where the pieces do not say how likely they were."""
    content = [TokenLogprob(text, logprob, list(text.encode())) for text, logprob in _told(pieces)]
    return ChatLogprobs(content) if content else None


def completion_logprobs(
    pieces: Sequence[Piece], before: Sequence[Piece] = ()
) -> CompletionLogprobs | None:
    """As `chat_logprobs`; `before` are the text's earlier pieces."""
    told = list(_told(pieces))
    if not told:
        return None
    offsets, at = [], sum(len(piece.text) for piece in before)
    for text, _ in told:
        offsets.append(at)
        at += len(text)
    return CompletionLogprobs([text for text, _ in told], [each for _, each in told], offsets)


def _told(pieces: Sequence[Piece]) -> Iterator[tuple[str, float]]:
    for piece in pieces:
        if piece.logprob is not None:
            yield piece.text, piece.logprob
