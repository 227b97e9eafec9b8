"""Embeddings: a text to one vector, and how alike sentences are.

A vector is what a text's last hidden states are reduced to, as sentence-transformers does (Reimers
and Gurevych 2019); its `modules.json` and prompts are read where they lie beside the model. A
`Comparison` is answered by the cosine of the source's vector with each sentence's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from inference.errors import InvalidRequest, TextTooLong
from inference.tasks.inputs import Comparison
from inference.tasks.ports import POOLED, Decoded, Divided, Encoded, Floats, Forwarded, Prepared
from inference.tasks.tokenizing import TextTokenizer

MAX_SENTENCES = 256
# Of sentence-transformers; others would change the vectors.
_MODULES = (".Transformer", ".Pooling", ".Normalize")


class EmbeddingParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`pooling` and `normalize` (to length one) are the version's own where null; `truncate` false
    refuses a text over the model's limit instead of cutting it; `dimensions` keeps the first ones,
    as models trained for that allow; `prompt_name` puts one of the version's prompts before a text.
    """

    pooling: Literal["cls", "mean", "max", "last"] | None = None
    normalize: bool | None = None
    truncate: bool = True
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    prompt_name: str | None = None


class Embedding:
    """States to vectors for one version."""

    accepts = (str, Comparison)
    parameters_type = EmbeddingParameters
    defaults = EmbeddingParameters()

    def __init__(self, view: Path, labels: Sequence[str]) -> None:
        self.tokenizer = TextTokenizer(view)
        self.form, self.max_tokens = self.tokenizer.form, self.tokenizer.max_tokens
        modules = _read(view / "modules.json", [])
        for each in modules:
            if not each["type"].endswith(_MODULES):
                raise ValueError(
                    f"modules.json names {each['type']}, whose vectors cannot be made here; served "
                    f"are {', '.join(_MODULES)}"
                )
        self._is_normalized = any(each["type"].endswith(".Normalize") for each in modules)
        config = _read(view / "config_sentence_transformers.json", {})
        self._prompts: dict[str, str] = config.get("prompts") or {}

    def example(self, text: str) -> str:
        return text

    def detokenize(self, ids: Sequence[int], *, field: str) -> str:
        """The text that the version's own token ids stand for; safe on any thread."""
        return self.tokenizer.text_of(ids, field=field)

    def encode(
        self, inputs: Sequence[str | Comparison], parameters: EmbeddingParameters, *, short: bool
    ) -> list[Prepared]:
        prompt = self._prompt(parameters.prompt_name)
        prepared = [self._prepared(item, prompt, short=short) for item in inputs]
        if not parameters.truncate:
            self._refuse_cut(prepared)
        return prepared

    def decode(
        self, prepared: Prepared, outputs: Sequence[Forwarded], parameters: EmbeddingParameters
    ) -> Decoded:
        vectors = [self._vector(each, parameters) for each in outputs]
        if isinstance(prepared, Encoded):
            return Decoded({"embedding": vectors[0].tolist()}, "embedding", 1.0, {})
        alike = [_cosine(vectors[0], vector) for vector in vectors[1:]]
        fields = {"similarities": alike}
        return Decoded(fields, "similarity", max(alike), {}, fields)

    def _prepared(self, item: str | Comparison, prompt: str, *, short: bool) -> Prepared:
        if isinstance(item, str):
            return self.tokenizer.encode([prompt + item], short=short)[0]
        if not 1 <= len(item.sentences) <= MAX_SENTENCES:
            raise InvalidRequest(
                f"'inputs.sentences' holds {len(item.sentences)}; 1 to {MAX_SENTENCES} can be "
                "compared at once.",
                details={"field": "inputs.sentences", "limit": MAX_SENTENCES},
            )
        pieces = self.tokenizer.encode([prompt + text for text in item.texts], short=short)
        return Divided(
            pieces=tuple(pieces),
            n_tokens=sum(piece.n_tokens for piece in pieces),
            truncated=any(piece.truncated for piece in pieces),
            n_unknown=sum(piece.n_unknown for piece in pieces),
        )

    def _prompt(self, name: str | None) -> str:
        if name is None:
            return ""
        if name not in self._prompts:
            known = ", ".join(sorted(self._prompts)) or "none"
            raise InvalidRequest(
                f"'parameters.prompt_name' must be a prompt of the version: {known}.",
                details={"field": "parameters.prompt_name"},
            )
        return self._prompts[name]

    def _refuse_cut(self, prepared: Sequence[Prepared]) -> None:
        for index, each in enumerate(prepared):
            if each.truncated:
                raise TextTooLong(
                    f"'inputs[{index}]' has more than the {self.tokenizer.max_tokens} tokens that "
                    "the model reads. Shorten it, or leave 'truncate' out.",
                    details={"field": "inputs", "index": index, "limit": self.tokenizer.max_tokens},
                )

    def _vector(self, forwarded: Forwarded, parameters: EmbeddingParameters) -> Floats:
        vector: Floats = forwarded.embedding
        if parameters.pooling is not None:
            vector = forwarded.logits[POOLED.index(parameters.pooling)]
        if parameters.dimensions is not None:
            if parameters.dimensions > len(vector):
                raise InvalidRequest(
                    f"'parameters.dimensions' is {parameters.dimensions}; the model gives "
                    f"{len(vector)}.",
                    details={"field": "parameters.dimensions", "limit": len(vector)},
                )
            vector = vector[: parameters.dimensions]
        asked = parameters.normalize
        return _unit(vector) if (self._is_normalized if asked is None else asked) else vector


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


def _cosine(one: Floats, other: Floats) -> float:
    return float(np.dot(_unit(one), _unit(other)))


def _read(path: Path, default: Any) -> Any:
    return msgspec.json.decode(path.read_bytes()) if path.is_file() else default
