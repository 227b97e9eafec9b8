"""Tokenising at admission: private `tokenizers.Tokenizer` clones, fixed truncation, no padding.

`transformers`' own tokenizer object keeps mutable truncation state and fails under threads
(huggingface/transformers issue 47085), so each thread that tokenises gets a clone of the Rust
tokenizer underneath, set up once.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from tokenizers import Encoding, Tokenizer

from inference import token_ids
from inference.tasks.inputs import TextPair
from inference.tasks.ports import Encoded, InputForm

# transformers writes this order of magnitude for "no limit known".
_NO_LIMIT = 1_000_000
# These architectures count positions from padding_idx + 1, so two of their positions hold no token.
_OFFSET_POSITIONS = ("roberta", "camembert", "longformer", "mpnet", "esm")


class TextTokenizer:
    """Turns texts into `Encoded`; `short` and `long` are separate clones for two threads.

    What is over the model's limit is cut off: from a pair's longer text, or as `cuts` says.
    """

    def __init__(
        self, view: Path, *, cuts: Literal["longest_first", "only_first"] = "longest_first"
    ) -> None:
        from transformers import AutoConfig

        loaded = load_tokenizer(view)
        config = AutoConfig.from_pretrained(view, local_files_only=True, trust_remote_code=False)
        self.max_tokens = min(max_tokens(loaded.model_max_length, config), _sentence_limit(view))
        self._cuts = cuts
        self.form = InputForm(
            pad_id=loaded.pad_token_id if loaded.pad_token_id is not None else 0,
            pads_left=loaded.padding_side == "left",
            has_types="token_type_ids" in loaded.model_input_names,
        )
        self._unknown_id = unknown_id(loaded)
        serialised = loaded.backend_tokenizer.to_str()
        self._short, self._long = (self._clone(serialised) for _ in range(2))

    def _clone(self, serialised: str) -> Tokenizer:
        tokenizer = Tokenizer.from_str(serialised)
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length=self.max_tokens, strategy=self._cuts)
        return tokenizer

    def encode(self, inputs: Sequence[str | TextPair], *, short: bool) -> list[Encoded]:
        tokenizer = self._short if short else self._long
        return [self._encoded(_encode_one(tokenizer, item)) for item in inputs]

    def ids(self, word: str) -> list[int]:
        """The tokens of a word, without the special ones."""
        ids: list[int] = self._short.encode(word, add_special_tokens=False).ids
        return ids

    def text_of(self, ids: Sequence[int], *, field: str) -> str:
        """The text that these tokens are; raises as `token_ids.text_of` does."""
        return token_ids.text_of(
            ids,
            field=field,
            n_words=self._short.get_vocab_size(),
            max_tokens=self.max_tokens,
            decode=lambda hides: self._short.decode(list(ids), skip_special_tokens=hides),
            encode=lambda text, framed: self._short.encode(text, add_special_tokens=framed).ids,
        )

    def _encoded(self, encoding: Encoding) -> Encoded:
        types = encoding.type_ids if self.form.has_types else None
        ids = encoding.ids
        n_unknown = 0 if self._unknown_id is None else ids.count(self._unknown_id)
        return Encoded(ids, types, bool(encoding.overflowing), n_unknown=n_unknown)


def _encode_one(tokenizer: Tokenizer, item: str | TextPair) -> Encoding:
    if isinstance(item, str):
        return tokenizer.encode(item)
    return tokenizer.encode(item.text, item.text_pair)


def load_tokenizer(view: Path) -> Any:
    """Return the library's own tokenizer; its methods that encode are not safe in threads."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(view, local_files_only=True, trust_remote_code=False)


def _sentence_limit(view: Path) -> int:
    """The limit that sentence-transformers keeps beside a model, where there is one."""
    path = view / "sentence_bert_config.json"
    found = msgspec.json.decode(path.read_bytes()) if path.is_file() else {}
    return int(found.get("max_seq_length") or _NO_LIMIT)


def unknown_id(loaded: Any) -> int | None:
    """Return the id that stands for what the vocabulary lacks.

    None where there is none, or where it has another meaning too (GPT-2's also ends a text).
    """
    others = {
        getattr(loaded, f"{role}_token_id", None)
        for role in ("bos", "eos", "sep", "pad", "cls", "mask")
    }
    found = loaded.unk_token_id
    return None if found is None or found in others else int(found)


def max_tokens(model_max_length: int, config: Any) -> int:
    """Return the most tokens one text may have: the tokenizer's limit within the model's
    positions.
    """
    positions = getattr(config, "max_position_embeddings", None) or 512
    if any(name in config.model_type for name in _OFFSET_POSITIONS):
        positions -= 2
    return int(positions if model_max_length >= _NO_LIMIT else min(model_max_length, positions))
