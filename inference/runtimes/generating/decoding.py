"""Token ids → text, on any thread."""

from collections.abc import Callable, Sequence
from typing import Any

from tokenizers import Tokenizer


def make_decode(tokenizer: Any) -> Callable[[Sequence[int]], str]:
    """Return a function that leaves special tokens out and spaces as they are.

    It has a tokenizer of its own where that is a Rust one: the other one is set up anew for each
    text that is encoded, and refuses to decode meanwhile.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if isinstance(backend, Tokenizer):
        own = Tokenizer.from_str(backend.to_str())
        return lambda ids: own.decode(list(ids), skip_special_tokens=True)

    def decode(ids: Sequence[int]) -> str:
        text: str = tokenizer.decode(
            list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    return decode
