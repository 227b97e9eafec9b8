"""Tasks whose answers are written: text generation, summaries, translations, text to text.

Options have transformers' names; what they mean is in `inference.generation.options`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import msgspec
import numpy as np

from inference.generation.events import Generated
from inference.generation.options import GenerationOptions, refuse
from inference.generation.ports import Prompt
from inference.generation.prompts import PromptBuilder
from inference.tasks.inputs import Conversation, Input
from inference.tasks.ports import Decoded, Encoded, Forwarded, Prepared

TaskName = Literal["text-generation", "text2text-generation", "summarization", "translation"]
FIELDS: dict[str, str] = {
    "text-generation": "generated_text",
    "text2text-generation": "generated_text",
    "summarization": "summary_text",
    "translation": "translation_text",
}
TOLD_BY_TOKEN = frozenset({"details", "prompt_tokens"})
CHUNKED = ("summarization", "translation")
_OPTIONS = frozenset(field.name for field in fields(GenerationOptions))
_NOTHING = np.zeros(0, dtype=np.float32)


class WritingParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """As in transformers; null leaves what the model's folder says. `stop` is a text or several;
    `truncation` cuts a text over the model's limit instead of refusing (or dividing) it.
    """

    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    max_length: int | None = None
    min_length: int | None = None
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    seed: int | None = None
    stop: str | tuple[str, ...] = ()
    num_return_sequences: int | None = None
    num_beams: int | None = None
    length_penalty: float | None = None
    early_stopping: bool | Literal["never"] | None = None
    truncation: bool = False

    def options(self) -> GenerationOptions:
        """Raises InvalidRequest for values that contradict each other or mean nothing."""
        values: dict[str, Any] = {name: getattr(self, name) for name in _OPTIONS}
        stop = values["stop"]
        return GenerationOptions(**values | {"stop": (stop,) if isinstance(stop, str) else stop})


class DetailedParameters(WritingParameters, frozen=True, kw_only=True):
    """`details` tells every token that was written, with its probability; no beams are kept then,
    also where only a default asks for them.
    """

    details: bool = False

    def options(self) -> GenerationOptions:
        options = super().options()
        if not self.details:
            return options
        if (options.num_beams or 1) > 1:
            raise refuse("details", "are not known where beams are kept", "set 'num_beams' to 1")
        return replace(options, num_beams=1)


class TextGenerationParameters(DetailedParameters, frozen=True, kw_only=True):
    """`return_full_text` puts the prompt before what was written; `decoder_input_details` tells the
    tokens of the prompt, too, where `details` are told.
    """

    return_full_text: bool = False
    decoder_input_details: bool = False


class TranslationParameters(WritingParameters, frozen=True, kw_only=True):
    """`src_lang` and `tgt_lang` are the model's own codes, where it has several languages."""

    src_lang: str | None = None
    tgt_lang: str | None = None


@dataclass(frozen=True, slots=True)
class Brief(Encoded):
    """One input of a writer. `prompt` is None for a text that is answered in pieces."""

    item: Input
    n_counted: int
    prompt: Prompt | None

    @property
    def n_tokens(self) -> int:
        return self.n_counted

    @property
    def pieces(self) -> "tuple[Brief, ...]":
        return (self,)


@dataclass(frozen=True, slots=True)
class Written(Forwarded):
    """What a writer gave for one brief; a text answered in pieces has one sequence, without ids."""

    sequences: tuple[Generated, ...]
    n_chunks: int = 1
    levels: int = 1


def written(sequences: tuple[Generated, ...], *, n_chunks: int = 1, levels: int = 1) -> Written:
    return Written(_NOTHING, _NOTHING, sequences, n_chunks, levels)


class Writing:
    """One of the tasks for one version: `prompts` makes prompts with its tokenizer."""

    def __init__(self, name: TaskName, prompts: PromptBuilder) -> None:
        self.name, self.prompts = name, prompts
        self.accepts: tuple[type[Any], ...] = (
            (str, Conversation) if name == "text-generation" else (str,)
        )
        self.parameters_type = parameters_of(name)
        # Short and always the same, to try a version out.
        self.defaults = self.parameters_type(
            max_new_tokens=8, do_sample=False, num_beams=1, truncation=True
        )
        self.max_tokens = prompts.max_tokens

    def example(self, text: str) -> str:
        # Blanks alone are refused as a prompt.
        return text if text.strip() else "A text."

    def detokenize(self, ids: Sequence[int], *, field: str) -> str:
        """The text that the version's own token ids stand for; safe on any thread."""
        return self.prompts.text_of(ids, field=field)

    def encode(self, inputs: Sequence[Input], parameters: Any, *, short: bool) -> list[Brief]:
        return [self._brief(item, parameters) for item in inputs]

    def decode(self, prepared: Prepared, outputs: Sequence[Forwarded], parameters: Any) -> Decoded:
        (output,) = outputs
        assert isinstance(output, Written)  # noqa: S101 - only writers answer this task
        before = self._before(prepared, parameters)
        texts = [before + each.text for each in output.sequences]
        first = output.sequences[0]
        fields: dict[str, Any] = {
            FIELDS[self.name]: texts[0],
            "finish_reason": first.finish_reason,
            "n_generated": first.n_tokens,
        }
        if first.seed is not None:
            fields["seed"] = first.seed
        if len(texts) > 1:
            fields["sequences"] = texts
        if getattr(parameters, "details", False):
            fields["details"] = [_details(each) for each in output.sequences]
            if getattr(parameters, "decoder_input_details", False):
                fields["prompt_tokens"] = self._prompt_tokens(prepared)
        if output.n_chunks > 1:
            fields |= {"n_chunks": output.n_chunks, "levels": output.levels}
        score = _likelihood(first.logprobs)
        # Without the tokens: a private word in pieces is not recognised as one.
        kept = {name: value for name, value in fields.items() if name not in TOLD_BY_TOKEN}
        return Decoded(fields, first.finish_reason, score, {"likelihood": score}, kept)

    def _brief(self, item: Input, parameters: Any) -> Brief:
        prompt = self._prompt(item, parameters)
        if prompt is None:
            assert isinstance(item, str)  # noqa: S101 - conversations are never divided
            return Brief([], None, False, item, self.prompts.count_tokens(item), None)
        return Brief([], None, prompt.is_truncated, item, prompt.n_tokens, prompt)

    def _prompt(self, item: Input, parameters: Any) -> Prompt | None:
        truncation = parameters.truncation
        if isinstance(item, Conversation):
            return self.prompts.chat(item.as_dicts(), truncation=truncation)
        assert isinstance(item, str)  # noqa: S101 - `accepts` has let nothing else in
        if self.name in CHUNKED and not truncation and self._is_long(item):
            return None
        if self.name == "translation":
            return self.prompts.translation(
                item,
                src_lang=parameters.src_lang,
                tgt_lang=parameters.tgt_lang,
                truncation=truncation,
            )
        return self.prompts.text(item, task=self.name, truncation=truncation)

    def _is_long(self, text: str) -> bool:
        return self.prompts.count_tokens(text) > self.prompts.room(self.name)

    def _prompt_tokens(self, prepared: Prepared) -> list[dict[str, Any]]:
        prompt = prepared.prompt if isinstance(prepared, Brief) else None
        ids = prompt.ids if prompt is not None else ()
        return [
            {"id": token_id, "text": text, "logprob": None}
            for token_id, text in zip(ids, self.prompts.texts_of(ids), strict=True)
        ]

    def _before(self, prepared: Prepared, parameters: Any) -> str:
        item = prepared.item if isinstance(prepared, Brief) else ""
        wants = getattr(parameters, "return_full_text", False)
        return item if wants and isinstance(item, str) else ""


def parameters_of(name: str) -> type[WritingParameters]:
    """What may be asked of a task."""
    return _PARAMETERS.get(name, WritingParameters)


_PARAMETERS: dict[str, type[WritingParameters]] = {
    "text-generation": TextGenerationParameters,
    "text2text-generation": DetailedParameters,
    "translation": TranslationParameters,
}


def _details(written: Generated) -> dict[str, Any]:
    """As `answers.SequenceDetails` says."""
    tokens = [
        {
            "id": each.token_id,
            "text": each.text,
            "logprob": each.logprob,
            "special": each.is_special,
        }
        for each in written.tokens
    ]
    return {
        "finish_reason": written.finish_reason,
        "n_generated": len(tokens),
        "seed": written.seed,
        "tokens": tokens,
    }


def _likelihood(logprobs: Sequence[float]) -> float:
    """The geometric mean of the tokens' probabilities; 1 where they are not known (beams)."""
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else 1.0
