"""Token ids that callers send: a served model's own, turned back into the text they stand for.

Clients that tokenise by themselves often do it with another model's vocabulary. Ids that mean
something else here are refused, not answered: the text that they would stand for is encoded again,
and must give the same ids. Pure.
"""

from collections.abc import Callable, Sequence

from inference.errors import InvalidRequest, TextTooLong

REMEDY = "Send text instead (LangChain: check_embedding_ctx_length=False)."
Decode = Callable[[bool], str]
Encode = Callable[[str, bool], list[int]]


def text_of(
    ids: Sequence[int],
    *,
    field: str,
    n_words: int,
    max_tokens: int,
    decode: Decode,
    encode: Encode,
) -> str:
    """Return the text of which a version's tokenizer, of `n_words` tokens, makes `ids`.

    `decode(hides_special)` gives the text of the ids, `encode(text, is_framed)` the ids of a text,
    with the special tokens around it or without. Raises TextTooLong for more than `max_tokens`,
    InvalidRequest for ids that are not the version's own; both name `field`.
    """
    if len(ids) > max_tokens:
        raise TextTooLong(
            f"'{field}' holds {len(ids)} token ids; the model reads {max_tokens}. Send fewer.",
            details={"field": field, "limit": max_tokens, "n_tokens": len(ids)},
        )
    foreign = next((each for each in ids if each >= n_words), None)
    if foreign is not None:
        raise _foreign(field, f"holds {foreign}, which is none of this model's {n_words} tokens")
    for hides_special, is_framed in ((True, True), (True, False), (False, False)):
        text = decode(hides_special)
        if encode(text, is_framed) == list(ids):
            return text
    raise _foreign(field, "holds token ids of which this model's tokenizer never makes a text")


def _foreign(field: str, what: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{field}' {what}. Token ids must be the served model's own. {REMEDY}",
        details={"field": field},
    )
