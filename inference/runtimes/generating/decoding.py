"""Token ids → text, on any thread."""

from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Tokenizer


def special_ids(tokenizer: Any) -> frozenset[int]:
    """Return the ids that decoding leaves out: the named ones, those added as special, and those
    of languages, which M2M100's tokenizer does not count among them.
    """
    added = getattr(tokenizer, "added_tokens_decoder", {})
    languages = getattr(tokenizer, "lang_code_to_id", {}).values()
    named = (token_id for token_id in tokenizer.all_special_ids if token_id is not None)
    return frozenset([*named, *languages, *(at for at, token in added.items() if token.special)])


def make_decode(tokenizer: Any) -> Callable[[Sequence[int]], str]:
    """Return a function that leaves special tokens out and spaces as they are.

    It has a tokenizer of its own where that is a Rust one: the other one is set up anew for each
    text that is encoded, and refuses to decode meanwhile.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if isinstance(backend, Tokenizer):
        own = Tokenizer.from_str(backend.to_str())
        return lambda ids: own.decode(list(ids), skip_special_tokens=True)

    special = special_ids(tokenizer)

    def decode(ids: Sequence[int]) -> str:
        shown = [token_id for token_id in ids if token_id not in special]
        text: str = tokenizer.decode(shown, clean_up_tokenization_spaces=False)
        return text

    return decode
