"""Texts of any length as overlapping windows that a model can read, with offsets into the text.

A text is tokenised whole, on a private clone that neither truncates nor adds anything; what it
gives is cut into windows, and the tokenizer's own post-processor adds the special tokens to each.
So no request changes a tokenizer, and windows are those of `transformers` with `stride`.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Encoding, Tokenizer
from tokenizers.processors import TemplateProcessing

from inference.errors import TextTooLong
from inference.tasks.ports import Divided, Encoded
from inference.tasks.tokenizing import (
    input_form,
    load_tokenizer,
    max_tokens,
    serialise,
    unknown_id,
)

# What one input may cost: at 512 tokens a window, a book of 200,000 words.
MAX_WINDOWS = 512
Side = Literal["left", "right"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two tokenised texts that stand in every window together, the `divided` one in parts."""

    first: Encoding
    second: Encoding
    divided: Literal["first", "second"]

    @property
    def long(self) -> Encoding:
        return self.first if self.divided == "first" else self.second


class WindowTokenizer:
    """Turns texts into windows for one version; like TextTokenizer it has a clone for each thread.

    `n_added` and `n_added_to_pair` are the special tokens of a window.
    """

    def __init__(self, view: Path) -> None:
        from transformers import AutoConfig

        loaded = load_tokenizer(view)
        config = AutoConfig.from_pretrained(view, local_files_only=True, trust_remote_code=False)
        self.max_tokens = max_tokens(loaded.model_max_length, config)
        self.form = input_form(loaded, config)
        self.cls_id: int | None = loaded.cls_token_id
        self.unk_id: int | None = loaded.unk_token_id
        self.truncation_side: Side = "left" if loaded.truncation_side == "left" else "right"
        self.padding_side: Side = "left" if loaded.padding_side == "left" else "right"
        self._unknown_id = unknown_id(loaded)
        serialised = json.loads(serialise(loaded))
        self._short, self._long = (_Clone(serialised) for _ in range(2))
        self.n_added, self.n_added_to_pair = self._short.n_added, self._short.n_added_to_pair
        self.has_word_pieces = bool(
            getattr(self._short.bare.model, "continuing_subword_prefix", None)
        )

    def tokenize(self, text: str, *, short: bool) -> Encoding:
        """The whole text's tokens, without special ones."""
        clone = self._short if short else self._long
        return clone.bare.encode(text, add_special_tokens=False)

    def divide(
        self,
        texts: Encoding | Pair,
        *,
        room: int,
        overlap: int,
        field: str,
        short: bool,
        side: Side = "right",
    ) -> list[Encoding]:
        """Cut what `tokenize` gave into windows of at most `room` tokens, special ones not counted.

        Neighbours share `overlap` tokens (below `room`). Raises TextTooLong, naming `field`, for
        more than `MAX_WINDOWS`.
        """
        divided = texts.long if isinstance(texts, Pair) else texts
        n_windows = count_windows(len(divided), room=room, overlap=overlap)
        if n_windows > MAX_WINDOWS:
            raise TextTooLong(
                f"{field!r} makes {n_windows} windows of {room} tokens, {overlap} of them shared "
                f"with the next; {MAX_WINDOWS} are allowed. Split it, or ask for less overlap.",
                details={"field": field, "limit": MAX_WINDOWS, "n_windows": n_windows},
            )
        divided.truncate(room, stride=overlap, direction=side)
        clone = self._short if short else self._long
        both = (texts.first, texts.second) if isinstance(texts, Pair) else (texts, None)
        whole = clone.finish(*both)
        return [whole, *whole.overflowing]

    def divided(
        self, windows: Sequence[Encoding], ids: Sequence[int], *, context: Any, truncated: bool
    ) -> Divided:
        """The input whose `ids` (each token once, special ones not counted) make `windows`."""
        n_added = windows[0].special_tokens_mask.count(1)
        return Divided(
            pieces=tuple(map(self._piece, windows)),
            n_tokens=len(ids) + n_added,
            truncated=truncated,
            n_unknown=0 if self._unknown_id is None else ids.count(self._unknown_id),
            context=context,
        )

    def join(self, tokens: list[str]) -> str:
        """Tokens as a text."""
        decoder = self._short.bare.decoder
        return " ".join(tokens) if decoder is None else str(decoder.decode(tokens))

    def token(self, token_id: int) -> str:
        return self._short.bare.id_to_token(token_id) or ""

    def _piece(self, window: Encoding) -> Encoded:
        types = self._short.types(window) if self.form.has_types else None
        return Encoded(window.ids, types, False)


class _Clone:
    """A tokenizer apart from what it adds to texts: applied twice, that moves offsets."""

    def __init__(self, serialised: dict[str, Any]) -> None:
        plain = serialised | {"truncation": None, "padding": None}
        whole = Tokenizer.from_str(json.dumps(plain))
        self.bare = Tokenizer.from_str(json.dumps(plain | {"post_processor": None}))
        self._processor = whole.post_processor or TemplateProcessing(
            single="$A", pair="$A $B:1", special_tokens=[]
        )
        self.n_added = whole.num_special_tokens_to_add(False)
        self.n_added_to_pair = whole.num_special_tokens_to_add(True)
        pair = whole.encode("a", "a")
        found = [kind for kind, of in zip(pair.type_ids, pair.sequence_ids, strict=True) if of == 1]
        self._second_type = found[0] if found else 0

    def finish(self, first: Encoding, second: Encoding | None) -> Encoding:
        """Both with their special tokens, and so each window of theirs."""
        return self._processor.process(first, second, True)

    def types(self, window: Encoding) -> list[int]:
        """Post-processors do not set the segment of what overflows, only of the first window."""
        return [
            self._second_type if of == 1 else kind
            for kind, of in zip(window.type_ids, window.sequence_ids, strict=True)
        ]


def count_windows(n_tokens: int, *, room: int, overlap: int) -> int:
    """How many windows of `room` tokens, each `overlap` into the one before, hold `n_tokens`.

    >>> [count_windows(n, room=10, overlap=4) for n in (0, 10, 11, 16, 17)]
    [1, 1, 2, 2, 3]
    """
    return 1 + max(0, math.ceil((n_tokens - room) / (room - overlap)))
