"""Extractive question answering: where a context answers a question, as the pipeline of
transformers 4 answers it (later ones have none).

A context that does not fit beside its question makes windows, each of them with the question.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from tokenizers import Encoding

from inference.errors import InvalidRequest
from inference.tasks.inputs import Question
from inference.tasks.ports import Decoded, Divided, Forwarded, Prepared
from inference.tasks.spans import best_spans, span_probabilities
from inference.tasks.windows import Pair, WindowTokenizer

MAX_SEQ_LEN = 384
DOC_STRIDE = 128
ANSWER, NO_ANSWER = "answer", "no_answer"
EXAMPLE = "What is it about?"
Length = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class QuestionAnsweringParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How many answers (`top_k`), of how many tokens at most (`max_answer_len`), and whether there
    may be none (`handle_impossible_answer`); answers are widened to words (`align_to_words`).

    Windows have at most `max_seq_len` tokens (null: 384 or what the model reads), of which
    neighbours share `doc_stride` (null: 128, or half a window); a question is cut to
    `max_question_len` (null: never).
    """

    top_k: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    doc_stride: Annotated[int, msgspec.Meta(ge=0)] | None = None
    max_answer_len: Length = 15
    max_seq_len: Length | None = None
    max_question_len: Length | None = None
    handle_impossible_answer: bool = False
    align_to_words: bool = True


@dataclass(frozen=True, slots=True)
class Windowed:
    """A context and its windows, in which its tokens have the sequence id `sequence`."""

    context: str
    windows: Sequence[Encoding]
    sequence: int


class QuestionAnswering:
    """Start and end logits to answers for one version.

    `label` is "no_answer" where the caller was told that there is none, else "answer". `scores` has
    both whatever was asked: the probability of the likeliest span, and that there is none, as the
    least sure window says.
    """

    accepts = (Question,)
    parameters_type = QuestionAnsweringParameters
    defaults = QuestionAnsweringParameters()

    def __init__(self, view: Path, labels: Sequence[str]) -> None:
        self.tokenizer = WindowTokenizer(view)
        self.form, self.max_tokens = self.tokenizer.form, self.tokenizer.max_tokens

    def example(self, text: str) -> Question:
        return Question(EXAMPLE, text)

    def encode(
        self, inputs: Sequence[Question], parameters: QuestionAnsweringParameters, *, short: bool
    ) -> list[Divided]:
        return [
            self._divided(item, parameters, f"inputs[{at}]", short=short)
            for at, item in enumerate(inputs)
        ]

    def decode(
        self,
        prepared: Prepared,
        outputs: Sequence[Forwarded],
        parameters: QuestionAnsweringParameters,
    ) -> Decoded:
        given: Windowed = prepared.context  # type: ignore[attr-defined]
        found = [
            span_probabilities(each.logits, self._may_answer(window, given.sequence))
            for window, each in zip(given.windows, outputs, strict=True)
        ]
        empty = min(each.empty for each in found)
        spans, surest = [], 0.0
        for window, probabilities in zip(given.windows, found, strict=True):
            n_wanted = parameters.top_k
            if parameters.align_to_words:
                # Some become one when they are widened to words.
                n_wanted = 2 * n_wanted + 10
            best = best_spans(probabilities, n_wanted, parameters.max_answer_len)
            surest = max([surest, *(score for _, _, score in best)])
            spans += list(_placed(window, best, given, parameters.align_to_words))
        answers = _merged(spans, given.context)
        if parameters.handle_impossible_answer or not answers:
            score = empty if parameters.handle_impossible_answer else 0.0
            answers.append({"answer": "", "score": score, "start": 0, "end": 0})
        answers = sorted(answers, key=lambda each: -each["score"])[: parameters.top_k]
        label = ANSWER if answers[0]["answer"] else NO_ANSWER
        scores = {ANSWER: min(surest, 1.0), NO_ANSWER: empty}
        more = {} if parameters.top_k == 1 else {"answers": answers}
        fields = answers[0] | more
        return Decoded(fields, label, scores[label], scores, fields)

    def _divided(
        self, item: Question, parameters: QuestionAnsweringParameters, field: str, *, short: bool
    ) -> Divided:
        question = self.tokenizer.tokenize(item.question, short=short)
        context = self.tokenizer.tokenize(item.context, short=short)
        n_asked, limit = len(question), parameters.max_question_len
        if limit and n_asked > limit:
            # Not truncated as windows are: each part of it would go with each of the context's.
            end = question.offsets[limit - 1][1]
            question = self.tokenizer.tokenize(item.question[:end], short=short)
        room, overlap = self._windows_of(parameters, len(question), len(context), field)
        # As the pipeline has it: what is padded on the left has the context first.
        is_first = self.tokenizer.padding_side == "left"
        ids = question.ids + context.ids
        windows = self.tokenizer.divide(
            Pair(first=context, second=question, divided="first")
            if is_first
            else Pair(first=question, second=context, divided="second"),
            room=room,
            overlap=overlap,
            field=f"{field}.context",
            short=short,
            side=self.tokenizer.truncation_side,
        )
        return self.tokenizer.divided(
            windows,
            ids,
            context=Windowed(item.context, windows, 0 if is_first else 1),
            truncated=len(question) < n_asked,
        )

    def _windows_of(
        self, parameters: QuestionAnsweringParameters, n_question: int, n_context: int, field: str
    ) -> tuple[int, int]:
        """The tokens of the context in a window, and how many are in the next one, too."""
        longest = min(parameters.max_seq_len or MAX_SEQ_LEN, self.tokenizer.max_tokens)
        room = longest - self.tokenizer.n_added_to_pair - n_question
        if room < 1:
            raise InvalidRequest(
                f"'{field}.question' has {n_question} tokens, which leaves no room for a context "
                f"in windows of {longest}. Shorten it, or set 'max_question_len'.",
                details={"field": f"{field}.question", "limit": longest},
            )
        stride = parameters.doc_stride
        if stride is None:
            stride = min((parameters.max_seq_len or longest) // 2, DOC_STRIDE)
            return room, stride if stride < room else room // 2
        if stride >= room and n_context > room:
            raise InvalidRequest(
                f"'parameters.doc_stride' is {stride}; beside the question a window has room for "
                f"{room} tokens, so at most {room - 1} can be shared.",
                details={"field": "parameters.doc_stride", "limit": room - 1},
            )
        return room, min(stride, room - 1)

    def _may_answer(self, window: Encoding, sequence: int) -> Iterator[bool]:
        """Which tokens of a window the model may point at: the context's, and the one that stands
        for no answer.
        """
        return (
            of == sequence or token_id == self.tokenizer.cls_id
            for of, token_id in zip(window.sequence_ids, window.ids, strict=True)
        )


def _placed(
    window: Encoding, best: Sequence[tuple[int, int, float]], given: Windowed, is_aligned: bool
) -> Iterator[tuple[int, int, float]]:
    """Spans of tokens as spans of characters, each with its probability."""
    for first, last, score in best:
        of = given.sequence
        if window.token_to_sequence(first) == of == window.token_to_sequence(last):
            ends = [_word(window, at, of) for at in (first, last)] if is_aligned else [None]
            if not all(ends):
                # As the pipeline has it: where one of the two is no word's, neither is widened.
                ends = [window.token_to_chars(at) for at in (first, last)]
            begin, end = ends
            if begin and end:
                yield begin[0], end[1], score


def _word(window: Encoding, at: int, of: int) -> tuple[int, int] | None:
    """Where the word of a token stands, or what the window has of it; None where it has no word."""
    word = window.token_to_word(at)
    return None if word is None else window.word_to_chars(word, of)


def _merged(spans: Sequence[tuple[int, int, float]], context: str) -> list[dict[str, Any]]:
    """Answers that read alike as one, at the place of the first, with their probabilities added."""
    merged: dict[str, dict[str, Any]] = {}
    for start, end, score in spans:
        text = context[start:end]
        known = merged.setdefault(
            text.lower(), {"answer": text, "score": 0.0, "start": start, "end": end}
        )
        known["score"] += score
    return list(merged.values())
