"""Text classification by an endpoint: texts go as they are, scores come back as they are."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from inference.tasks.inputs import TextPair
from inference.tasks.ports import MAX_RECORDED_LABELS, Decoded, Encoded, Forwarded, Prepared

CHARS_PER_TOKEN = 4
"""An endpoint's tokenizer is not known here; English has about this many."""


class RemoteParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a caller may ask of a remote version: how many labels (`top_k`; null for all).

    How logits become scores is the endpoint's affair, so `function_to_apply` can only be null.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    function_to_apply: None = None


@dataclass(frozen=True, slots=True)
class RemoteText(Encoded):
    """A text for an endpoint, with an estimate of its tokens instead of their ids.

    `deadline` (`time.monotonic`) is when nobody waits for its answer any more.
    """

    item: str | TextPair
    n_estimated: int
    deadline: float

    @property
    def n_tokens(self) -> int:
        return self.n_estimated

    @property
    def payload(self) -> Any:
        """The text as the wire has it."""
        if isinstance(self.item, str):
            return self.item
        return {"text": self.item.text, "text_pair": self.item.text_pair}


class RemoteTextClassification:
    """Scores to labels for one version; `labels` are in the version's order.

    An answer is awaited for `timeout_s` at most. Forwarded logits are the endpoint's scores.
    """

    accepts = (str, TextPair)
    parameters_type = RemoteParameters
    defaults = RemoteParameters()
    max_tokens = None

    def __init__(
        self,
        labels: Sequence[str],
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._labels, self._timeout_s, self._clock = tuple(labels), timeout_s, clock

    def example(self, text: str) -> str:
        return text

    def encode(
        self, inputs: Sequence[str | TextPair], parameters: RemoteParameters, *, short: bool
    ) -> list[Encoded]:
        deadline = self._clock() + self._timeout_s
        return [RemoteText([], None, False, item, _estimate(item), deadline) for item in inputs]

    def decode(
        self, prepared: Prepared, outputs: Sequence[Forwarded], parameters: RemoteParameters
    ) -> Decoded:
        scores: list[float] = outputs[0].logits.tolist()
        order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
        best = order[0]
        fields: dict[str, Any] = {"label": self._labels[best], "score": scores[best]}
        if parameters.top_k != 1:
            fields["scores"] = [
                {"label": self._labels[i], "score": scores[i]} for i in order[: parameters.top_k]
            ]
        kept = {self._labels[i]: scores[i] for i in sorted(order[:MAX_RECORDED_LABELS])}
        return Decoded(fields, self._labels[best], scores[best], kept)


def _estimate(item: str | TextPair) -> int:
    text = item if isinstance(item, str) else f"{item.text}{item.text_pair}"
    # Nothing to answer; callers are refused such a text before it gets here.
    return 0 if not text or text.isspace() else math.ceil(len(text) / CHARS_PER_TOKEN)
