"""The tasks that are served: what goes in, what may be asked, what comes out.

Dialects and documentation read it; it loads no model code.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.tasks.answers import (
    EmbeddingReply,
    EntitiesReply,
    FillsReply,
    LabelReply,
    PredictionReply,
    RankedReply,
    SpanReply,
    WrittenReply,
)
from inference.tasks.embedding import Embedding, EmbeddingParameters
from inference.tasks.fill_mask import FillMask, FillMaskParameters
from inference.tasks.inputs import Comparison, Conversation, Question, TextPair
from inference.tasks.ports import Head, LocalTask
from inference.tasks.question_answering import QuestionAnswering, QuestionAnsweringParameters
from inference.tasks.text_classification import TextClassification, TextClassificationParameters
from inference.tasks.token_classification import (
    TokenClassification,
    TokenClassificationParameters,
)
from inference.tasks.writing import FIELDS, parameters_of
from inference.tasks.zero_shot_classification import ZeroShotClassification, ZeroShotParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskKind:
    """One task: `item` is the type of one input; `names` are others under which it is known.

    `make` prepares it for the version in a view, with its labels in logit order; `head` is what a
    forward pass must give. Both are None for what is written token by token.
    """

    name: str
    make: Callable[[Path, Sequence[str]], LocalTask] | None = None
    head: Head | None = None
    item: Any
    parameters: type[Any]
    reply: type[PredictionReply]
    names: frozenset[str] = frozenset()

    @property
    def inputs(self) -> Any:
        """The type of what a request sends: one input, or a list."""
        return self.item | list[self.item]  # type: ignore[name-defined]  # a type made at run time


KINDS: dict[str, TaskKind] = {
    kind.name: kind
    for kind in (
        TaskKind(
            name="text-classification",
            names=frozenset({"sentiment-analysis"}),
            make=TextClassification,
            head=Head.LABELS,
            item=str | TextPair,
            parameters=TextClassificationParameters,
            reply=LabelReply,
        ),
        TaskKind(
            name="zero-shot-classification",
            make=ZeroShotClassification,
            head=Head.LABELS,
            item=str,
            parameters=ZeroShotParameters,
            reply=RankedReply,
        ),
        TaskKind(
            name="fill-mask",
            make=FillMask,
            head=Head.MASKS,
            item=str,
            parameters=FillMaskParameters,
            reply=FillsReply,
        ),
        *(
            TaskKind(
                name=name,
                names=frozenset({"feature-extraction", "sentence-similarity"} - {name}),
                make=Embedding,
                head=Head.STATES,
                item=str | Comparison,
                parameters=EmbeddingParameters,
                reply=EmbeddingReply,
            )
            for name in ("feature-extraction", "sentence-similarity")
        ),
        *(
            TaskKind(
                name=name,
                item=str | Conversation if name == "text-generation" else str,
                parameters=parameters_of(name),
                reply=WrittenReply,
            )
            for name in FIELDS
        ),
        TaskKind(
            name="token-classification",
            names=frozenset({"ner"}),
            make=TokenClassification,
            head=Head.TOKENS,
            item=str,
            parameters=TokenClassificationParameters,
            reply=EntitiesReply,
        ),
        TaskKind(
            name="question-answering",
            make=QuestionAnswering,
            head=Head.SPANS,
            item=Question,
            parameters=QuestionAnsweringParameters,
            reply=SpanReply,
        ),
    )
}
