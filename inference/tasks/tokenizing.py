"""Tokenising at admission: private `tokenizers.Tokenizer` clones, fixed truncation, no padding.

`transformers`' own tokenizer object keeps mutable truncation state and fails under threads
(huggingface/transformers issue 47085), so each thread that tokenises gets a clone of the Rust
tokenizer underneath, set up once.
"""

import warnings
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
# Their last column has to be a text's last token, so that padding goes before it.
_SUMMED_UP_LAST = ("xlnet",)


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
        self.form = input_form(loaded, config)
        self._unknown_id = unknown_id(loaded)
        serialised = serialise(loaded)
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

    with warnings.catch_warnings():
        # Marian's wants sacremoses for a method that no encoding calls.
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        return AutoTokenizer.from_pretrained(view, local_files_only=True, trust_remote_code=False)


def serialise(loaded: Any) -> str:
    """Return the Rust tokenizer underneath as JSON; raises ValueError where there is none."""
    backend = getattr(loaded, "backend_tokenizer", None)
    if not isinstance(backend, Tokenizer):
        raise ValueError(
            f"{type(loaded).__name__} is a tokenizer in Python, which this task cannot use; "
            "save one of the `tokenizers` library (tokenizer.json) beside the model"
        )
    return str(backend.to_str())


def input_form(loaded: Any, config: Any) -> InputForm:
    """Return how the model is to be padded.

    By the model's own pad token, where it has one: many find a text's end or count positions by
    it. On the right, whatever the tokenizer says: positions start at the first column, and causal
    models do not look ahead.
    """
    vocab_size = getattr(config.get_text_config(), "vocab_size", None) or len(loaded)
    named = (getattr(config.get_text_config(), "pad_token_id", None), loaded.pad_token_id)
    known = [each for each in named if each is not None and 0 <= each < vocab_size]
    return InputForm(
        pad_id=int(known[0]) if known else 0,
        pads_left=config.model_type in _SUMMED_UP_LAST,
        has_types="token_type_ids" in loaded.model_input_names,
    )


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
    positions = getattr(config, "max_position_embeddings", None) or 0
    if positions < 1:  # XLNet says -1.
        positions = 512
    elif any(name in config.model_type for name in _OFFSET_POSITIONS):
        positions -= 2
    return int(positions if model_max_length >= _NO_LIMIT else min(model_max_length, positions))
