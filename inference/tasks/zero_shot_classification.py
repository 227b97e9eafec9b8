"""Zero-shot classification: labels that the caller names, judged by a model of entailment.

Each label becomes a hypothesis about the text, and a pair for the model (Yin, Hay and Roth 2019);
answers are those of transformers' pipeline.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec

from inference.errors import InvalidRequest
from inference.tasks.inputs import TextPair
from inference.tasks.ports import Decoded, Divided, Forwarded, Prepared
from inference.tasks.text_classification import apply_function
from inference.tasks.tokenizing import TextTokenizer

MAX_CANDIDATES = 64
MAX_TEMPLATE_CHARS = 1_000
_PLACE = "{}"
Candidate = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Candidates = Annotated[tuple[Candidate, ...], msgspec.Meta(min_length=1, max_length=MAX_CANDIDATES)]
Template = Annotated[str, msgspec.Meta(max_length=MAX_TEMPLATE_CHARS)]


class ZeroShotParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`candidate_labels` are what the text may be; with `multi_label` each is judged by itself.
    `hypothesis_template` holds `{}` where the label goes.
    """

    candidate_labels: Candidates
    multi_label: bool = False
    hypothesis_template: Template = "This example is {}."


class ZeroShotClassification:
    """Entailment to labels for one version; `labels` are the model's own, in logit order."""

    accepts = (str,)
    parameters_type = ZeroShotParameters
    defaults = ZeroShotParameters(("positive", "negative"))

    def __init__(self, view: Path, labels: Sequence[str]) -> None:
        # What is said of a text must stay whole: the text gives way.
        self.tokenizer = TextTokenizer(view, cuts="only_first")
        self.form, self.max_tokens = self.tokenizer.form, self.tokenizer.max_tokens
        self._entailment = entailment_of(labels)

    def example(self, text: str) -> str:
        return text

    def encode(
        self, inputs: Sequence[str], parameters: ZeroShotParameters, *, short: bool
    ) -> list[Prepared]:
        if parameters.hypothesis_template.count(_PLACE) != 1:
            raise InvalidRequest(
                "'parameters.hypothesis_template' must hold {} once, where the label goes.",
                details={"field": "parameters.hypothesis_template"},
            )
        return [self._prepared(text, parameters, short=short) for text in inputs]

    def decode(
        self, prepared: Prepared, outputs: Sequence[Forwarded], parameters: ZeroShotParameters
    ) -> Decoded:
        names = parameters.candidate_labels
        scores = self._scores([each.logits.tolist() for each in outputs], parameters.multi_label)
        order = sorted(range(len(names)), key=lambda at: (scores[at], at), reverse=True)
        ranked = [{"label": names[at], "score": scores[at]} for at in order]
        best = order[0]
        fields: dict[str, Any] = {
            "label": names[best],
            "score": scores[best],
            "scores": ranked,
        }
        return Decoded(fields, names[best], scores[best], dict(zip(names, scores, strict=True)))

    def _scores(self, logits: list[list[float]], multi_label: bool) -> list[float]:
        entailed = self._entailment
        if not multi_label and len(logits) > 1:
            return apply_function("softmax", [row[entailed] for row in logits])
        # As the pipeline has it: what contradicts is the last, or else the first label.
        against = -1 if entailed == 0 else 0
        return [apply_function("softmax", [row[against], row[entailed]])[1] for row in logits]

    def _prepared(self, text: str, parameters: ZeroShotParameters, *, short: bool) -> Prepared:
        template = parameters.hypothesis_template
        pairs = [
            TextPair(text, template.replace(_PLACE, label)) for label in parameters.candidate_labels
        ]
        try:
            pieces = self.tokenizer.encode(pairs, short=short)
        except Exception as error:
            raise InvalidRequest(
                "'parameters.candidate_labels' holds a label so long that no text fits beside it: "
                f"the model reads {self.tokenizer.max_tokens} tokens. Shorten it.",
                details={"field": "parameters.candidate_labels"},
            ) from error
        return Divided(
            pieces=tuple(pieces),
            n_tokens=max(piece.n_tokens for piece in pieces),
            truncated=any(piece.truncated for piece in pieces),
            n_unknown=max(piece.n_unknown for piece in pieces),
        )


def entailment_of(labels: Sequence[str]) -> int:
    """The logit that says that the hypothesis follows: the last one where no label says so, as in
    the pipeline.
    """
    found = [at for at, label in enumerate(labels) if label.lower().startswith("entail")]
    return found[0] if found else len(labels) - 1
