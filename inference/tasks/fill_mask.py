"""Fill-mask: what words belong in a text's masked places, as transformers' pipeline answers it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from inference.errors import InvalidRequest
from inference.tasks.ports import Decoded, Encoded, Floats, Forwarded, Prepared
from inference.tasks.tokenizing import TextTokenizer, load_tokenizer

MAX_MASKS = 32
MAX_SHOWN = 1_000
MAX_TARGETS = 1_000
_KEPT = ("score", "token", "token_str")
Target = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class FillMaskParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`top_k` words are shown for each place; with `targets` only these are weighed, each by its
    first token.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=MAX_SHOWN)] = 5
    targets: (
        Target | Annotated[tuple[Target, ...], msgspec.Meta(min_length=1, max_length=MAX_TARGETS)]
    ) | None = None


class FillMask:
    """Logits over the vocabulary to words, for one version."""

    accepts = (str,)
    parameters_type = FillMaskParameters
    defaults = FillMaskParameters()

    def __init__(self, view: Path, labels: Sequence[str]) -> None:
        self.tokenizer = TextTokenizer(view)
        self.form, self.max_tokens = self.tokenizer.form, self.tokenizer.max_tokens
        # Only to read ids back and to look words up, which leaves its state alone.
        self._words = load_tokenizer(view)
        if self._words.mask_token_id is None:
            raise ValueError("its tokenizer has no mask token, so nothing can be masked")
        self._vocabulary: dict[str, int] = self._words.get_vocab()

    def example(self, text: str) -> str:
        return f"{self._words.mask_token} {text}"

    def encode(
        self, inputs: Sequence[str], parameters: FillMaskParameters, *, short: bool
    ) -> list[Encoded]:
        encoded = self.tokenizer.encode(inputs, short=short)
        return [self._placed(each, index) for index, each in enumerate(encoded)]

    def decode(
        self, prepared: Prepared, outputs: Sequence[Forwarded], parameters: FillMaskParameters
    ) -> Decoded:
        (piece,) = prepared.pieces
        only = self._target_ids(parameters.targets)
        fills = [
            self._fills(piece, place, _softmax(row), parameters.top_k, only)
            for place, row in zip(piece.places, outputs[0].logits, strict=True)
        ]
        # Without the sequences: each is the text again.
        kept = [[{name: fill[name] for name in _KEPT} for fill in place] for place in fills]
        return Decoded({"fills": fills}, "filled", fills[0][0]["score"], {}, {"fills": kept})

    def _placed(self, encoded: Encoded, index: int) -> Encoded:
        mask = self._words.mask_token_id
        places = tuple(at for at, id in enumerate(encoded.ids) if id == mask)
        if not 1 <= len(places) <= MAX_MASKS:
            what = f"has {len(places)} masked places" if places else "has no masked place"
            cut = " in the tokens that the model reads" if encoded.truncated else ""
            raise InvalidRequest(
                f"'inputs[{index}]' {what}{cut}. Write {self._words.mask_token} where a word is "
                f"missing, 1 to {MAX_MASKS} times.",
                details={"field": "inputs", "index": index, "mask": self._words.mask_token},
            )
        return replace(encoded, places=places)

    def _fills(
        self, piece: Encoded, place: int, scores: Floats, top_k: int, only: list[int] | None
    ) -> list[dict[str, Any]]:
        ids = np.arange(len(scores)) if only is None else np.array(only)
        order = np.argsort(-scores[ids], kind="stable")[:top_k]
        return [self._fill(piece, place, int(id), float(scores[id])) for id in ids[order]]

    def _fill(self, piece: Encoded, place: int, id: int, score: float) -> dict[str, Any]:
        ids = [*piece.ids[:place], id, *piece.ids[place + 1 :]]
        shown = [each for each in ids if each != self._words.pad_token_id]
        # Special tokens are left out, unless other masks are among them.
        sequence = self._words.decode(shown, skip_special_tokens=len(piece.places) == 1)
        token_str = self._words.decode([id])
        return {"score": score, "token": id, "token_str": token_str, "sequence": sequence}

    def _target_ids(self, targets: str | tuple[str, ...] | None) -> list[int] | None:
        if targets is None:
            return None
        words = (targets,) if isinstance(targets, str) else targets
        ids = {id for word in words if (id := self._target_id(word)) is not None}
        if not ids:
            raise InvalidRequest(
                "'parameters.targets' holds no word that the model knows. Name others.",
                details={"field": "parameters.targets"},
            )
        return sorted(ids)

    def _target_id(self, word: str) -> int | None:
        if (known := self._vocabulary.get(word)) is not None:
            return known
        ids = self.tokenizer.ids(word)
        return ids[0] if ids else None


def _softmax(logits: Floats) -> Floats:
    powers = np.exp(logits - logits.max())
    scores: Floats = powers / powers.sum()
    return scores
