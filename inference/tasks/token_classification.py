"""Token classification: the entities of a text, as `transformers.pipeline` finds them.

A text longer than the model reads makes windows. With `stride` these overlap by so many tokens and
their entities are merged by the pipeline's rule. Without it, where the pipeline cuts the text off,
each token counts once, from the window in which it has most context, and entities are put together
over the whole text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from tokenizers import Encoding

from inference.errors import InvalidRequest
from inference.tasks.entities import Label, Strategy, Tokens, find_entities, merge_overlapping
from inference.tasks.ports import MAX_RECORDED_LABELS, Decoded, Divided, Floats, Forwarded, Prepared
from inference.tasks.windows import WindowTokenizer

# Half of it is the least context that a token within a long text gets on either side.
MAX_OVERLAP = 64
ENTITIES, NONE = "entities", "none"
OUTSIDE = "O"
Name = Annotated[str, msgspec.Meta(max_length=256)]


class TokenClassificationParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How tokens become entities (`none`: they do not), which labels are left out, and by how many
    tokens windows of a long text overlap (`stride`; null: chosen, and each token counts once).
    """

    aggregation_strategy: Strategy = "simple"
    ignore_labels: Annotated[tuple[Name, ...], msgspec.Meta(max_length=1000)] = (OUTSIDE,)
    stride: Annotated[int, msgspec.Meta(ge=0)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """A text and its windows, of which neighbours share `overlap` tokens."""

    text: str
    windows: Sequence[Encoding]
    overlap: int


class TokenClassification:
    """Logits of tokens to entities for one version; `labels` are in logit order.

    What is recorded of an answer does not depend on the parameters: `label` is "entities" where a
    token is likelier an entity's than not, else "none"; `score` is its probability at the token
    that is likeliest an entity's. `scores` has both, and for each type of entity its mean
    probability over the tokens.
    """

    accepts = (str,)
    parameters_type = TokenClassificationParameters
    defaults = TokenClassificationParameters()

    def __init__(self, view: Path, labels: Sequence[str]) -> None:
        self.tokenizer = WindowTokenizer(view)
        self.form, self.max_tokens = self.tokenizer.form, self.tokenizer.max_tokens
        self._labels = tuple(map(Label.of, labels))
        self._room = self.tokenizer.max_tokens - self.tokenizer.n_added

    def example(self, text: str) -> str:
        return text

    def encode(
        self, inputs: Sequence[str], parameters: TokenClassificationParameters, *, short: bool
    ) -> list[Divided]:
        stride = parameters.stride
        if stride is not None and stride >= self._room:
            raise InvalidRequest(
                f"'parameters.stride' is {stride}; a window of this model has room for "
                f"{self._room} tokens, so at most {self._room - 1} can be shared.",
                details={"field": "parameters.stride", "limit": self._room - 1},
            )
        return [
            self._divided(text, stride, f"inputs[{at}]", short=short)
            for at, text in enumerate(inputs)
        ]

    def decode(
        self,
        prepared: Prepared,
        outputs: Sequence[Forwarded],
        parameters: TokenClassificationParameters,
    ) -> Decoded:
        given: Windowed = prepared.context  # type: ignore[attr-defined]
        tokens = [
            _tokens(window, each) for window, each in zip(given.windows, outputs, strict=True)
        ]
        if parameters.stride is None:
            tokens = [_stitched(tokens, given.overlap)]
        entities = [
            entity
            for each in tokens
            for entity in find_entities(
                each,
                given.text,
                self._labels,
                self.tokenizer,
                strategy=parameters.aggregation_strategy,
                ignored=parameters.ignore_labels,
            )
        ]
        if len(tokens) > 1:
            entities = merge_overlapping(entities)
        label, scores = self._recorded(np.concatenate([each.probabilities for each in tokens]))
        fields = {"entities": [entity.fields() for entity in entities]}
        return Decoded(fields, label, scores[label], scores, fields)

    def _divided(self, text: str, stride: int | None, field: str, *, short: bool) -> Divided:
        tokenizer, whole = self.tokenizer, self.tokenizer.tokenize(text, short=short)
        ids = whole.ids
        overlap = min(self._room // 4, MAX_OVERLAP) if stride is None else stride
        windows = tokenizer.divide(
            whole,
            room=self._room,
            overlap=overlap,
            field=field,
            short=short,
            side="right" if stride is None else tokenizer.truncation_side,
        )
        context = Windowed(text=text, windows=windows, overlap=overlap)
        return tokenizer.divided(windows, ids, context=context, truncated=False)

    def _recorded(self, probabilities: Floats) -> tuple[str, dict[str, float]]:
        """The label, and the scores under it, from rows of probabilities [n, n_labels]."""
        types = list(dict.fromkeys(each.group for each in self._labels if each.name != OUTSIDE))
        types = types[: MAX_RECORDED_LABELS - 2]
        if not len(probabilities):
            return NONE, {NONE: 1.0, ENTITIES: 0.0} | dict.fromkeys(types, 0.0)
        is_outside = np.array([each.name == OUTSIDE for each in self._labels])
        outside = np.where(is_outside, probabilities, 0).max(axis=1)
        inside = np.where(is_outside, 0, probabilities).max(axis=1)
        at = int((inside - outside).argmax())
        means = probabilities.mean(axis=0)
        scores = {
            kind: float(sum(means[i] for i, each in enumerate(self._labels) if each.group == kind))
            for kind in types
        }
        scores |= {ENTITIES: float(inside[at]), NONE: float(outside[at])}
        return (ENTITIES if inside[at] > outside[at] else NONE), scores


def _tokens(window: Encoding, forwarded: Forwarded) -> Tokens:
    """What one window gave, without its special tokens."""
    own = [at for at, special in enumerate(window.special_tokens_mask) if not special]
    ids, offsets = window.ids, window.offsets
    logits = forwarded.logits[own]
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities = powers / powers.sum(axis=-1, keepdims=True)
    return Tokens([ids[at] for at in own], [offsets[at] for at in own], own, probabilities)


def _stitched(windows: Sequence[Tokens], overlap: int) -> Tokens:
    """Every token once: of those that two windows share, each gives the half on its own side."""
    if len(windows) == 1:
        return windows[0]
    last, cut = len(windows) - 1, overlap // 2
    parts = [
        each.part(cut if at else 0, len(each.ids) - (0 if at == last else overlap - cut))
        for at, each in enumerate(windows)
    ]
    ids = [token_id for part in parts for token_id in part.ids]
    first = windows[0].places[0]
    return Tokens(
        ids,
        [offsets for part in parts for offsets in part.offsets],
        list(range(first, first + len(ids))),
        np.concatenate([part.probabilities for part in parts]),
    )
