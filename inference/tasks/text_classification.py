"""Text classification: one text (or a pair) to one label, as `transformers.pipeline` answers it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from inference.tasks.inputs import TextPair
from inference.tasks.ports import MAX_RECORDED_LABELS, Decoded, Encoded, Forwarded, Prepared
from inference.tasks.tokenizing import TextTokenizer

Function = Literal["softmax", "sigmoid", "none"]


class TextClassificationParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a caller may ask for: how many labels (`top_k`; null for all) and how logits become
    scores.
    """

    top_k: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    function_to_apply: Function | None = None


class TextClassification:
    """Logits to labels for one version; `labels` are in logit order."""

    accepts = (str, TextPair)
    parameters_type = TextClassificationParameters
    defaults = TextClassificationParameters()

    def __init__(self, view: Path, labels: Sequence[str]) -> None:
        self.tokenizer = TextTokenizer(view)
        self.form, self.max_tokens = self.tokenizer.form, self.tokenizer.max_tokens
        self._labels = tuple(labels)
        self._function = default_function(
            msgspec.json.decode((view / "config.json").read_bytes()), len(labels)
        )

    def example(self, text: str) -> str:
        return text

    def encode(
        self,
        inputs: Sequence[str | TextPair],
        parameters: TextClassificationParameters,
        *,
        short: bool,
    ) -> list[Encoded]:
        return self.tokenizer.encode(inputs, short=short)

    def decode(
        self,
        prepared: Prepared,
        outputs: Sequence[Forwarded],
        parameters: TextClassificationParameters,
    ) -> Decoded:
        logits: list[float] = outputs[0].logits.tolist()
        recorded = apply_function(self._function, logits)
        asked = parameters.function_to_apply or self._function
        shown = recorded if asked == self._function else apply_function(asked, logits)
        best = max(range(len(logits)), key=logits.__getitem__)
        fields: dict[str, Any] = {"label": self._labels[best], "score": shown[best]}
        if parameters.top_k != 1:
            order = sorted(range(len(logits)), key=logits.__getitem__, reverse=True)
            fields["scores"] = [
                {"label": self._labels[i], "score": shown[i]} for i in order[: parameters.top_k]
            ]
        return Decoded(fields, self._labels[best], recorded[best], self._recorded(recorded))

    def _recorded(self, scores: list[float]) -> dict[str, float]:
        if len(scores) <= MAX_RECORDED_LABELS:
            return dict(zip(self._labels, scores, strict=True))
        order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
        return {self._labels[i]: scores[i] for i in order[:MAX_RECORDED_LABELS]}


def default_function(config: dict[str, Any], n_labels: int) -> Function:
    """Return what turns logits into scores when the caller does not say, by transformers' own
    rule.
    """
    if config.get("problem_type") == "regression":
        return "none"
    if config.get("problem_type") == "multi_label_classification" or n_labels == 1:
        return "sigmoid"
    return "softmax"


def apply_function(function: Function, logits: list[float]) -> list[float]:
    """Turn `logits` into scores; both functions are computed so that no exponential overflows."""
    if function == "softmax":
        highest = max(logits)
        powers = [math.exp(logit - highest) for logit in logits]
        total = sum(powers)
        return [power / total for power in powers]
    if function == "sigmoid":
        return [_sigmoid(logit) for logit in logits]
    return logits


def _sigmoid(logit: float) -> float:
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    power = math.exp(logit)
    return power / (1 + power)
