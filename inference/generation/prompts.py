"""Texts, chats and translations → prompts. No model library: the tokenizer is an argument.

The rules are those of transformers' pipelines (4.57 was the last version to have the ones for
summaries and translations).
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inference import token_ids
from inference.errors import InvalidRequest, InvalidText, TextTooLong
from inference.generation.ports import Prompt

MAX_MESSAGES = 256
MAX_CHARS = 1_000_000
_ROLES = ("system", "developer", "user", "assistant", "tool")


class PromptBuilder:
    """Makes prompts with one version's tokenizer. Safe on any thread; blocks while another encodes,
    because tokenizers keep languages and truncation as state.

    `prefix_of(task)` gives what the model wants before each text of a task (T5).
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_tokens: int,
        is_encoder_decoder: bool,
        prefix_of: Callable[[str | None], str] = lambda task: "",
        max_chars: int = MAX_CHARS,
    ) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._is_encoder_decoder = is_encoder_decoder
        self._prefix_of = prefix_of
        self._max_chars = max_chars
        self._lock = threading.Lock()

    @property
    def max_tokens(self) -> int:
        """Tokens that one prompt may have."""
        return self._max_tokens

    @property
    def has_chat_template(self) -> bool:
        return bool(getattr(self._tokenizer, "chat_template", None))

    @property
    def has_languages(self) -> bool:
        """Whether a translation names its languages to the tokenizer."""
        return hasattr(self._tokenizer, "_build_translation_inputs")

    @property
    def languages(self) -> frozenset[str]:
        """The codes of a model with several languages."""
        if found := getattr(self._tokenizer, "lang_code_to_id", None):
            return frozenset(found)
        # NLLB's languages are nothing but the special tokens that have no role of their own.
        others = getattr(self._tokenizer, "extra_special_tokens", ())
        return frozenset(map(str, others)) - frozenset(self._tokenizer.special_tokens_map.values())

    def text(self, text: str, *, task: str | None = None, truncation: bool = False) -> Prompt:
        """Return the prompt for `text`, with the model's prefix for `task` before it.

        A text over `max_tokens` is refused (TextTooLong), or shortened with `truncation`: its
        end is cut off for an encoder, its beginning for a causal model, which has to continue it.
        """
        self._check_text(text)
        with self._lock:
            ids = self._encode(self._prefix_of(task) + text)
        return self._fit(ids, task=task, truncation=truncation)

    def chat(self, messages: Sequence[Mapping[str, Any]], *, truncation: bool = False) -> Prompt:
        """Return the prompt for a conversation, by the model's own chat template.

        The template is the model's file; transformers runs it in jinja2's sandbox. Raises
        InvalidRequest where the model has none or it refuses the messages.
        """
        self._check_messages(messages)
        if not self.has_chat_template:
            raise InvalidRequest(
                "This model has no chat template, so it does not take 'messages'. Send a text, or "
                "register a version whose tokenizer has a template.",
                details={"field": "messages"},
            )
        with self._lock:
            try:
                rendered = self._tokenizer.apply_chat_template(
                    [dict(each) for each in messages], tokenize=False, add_generation_prompt=True
                )
            except Exception as error:
                raise InvalidRequest(
                    f"The model's chat template refuses these messages: {error}. Change their "
                    "roles or their order.",
                    details={"field": "messages"},
                ) from error
            # Templates write the special tokens themselves.
            ids = self._encode(rendered, add_special_tokens=False)
        return self._fit(ids, task=None, truncation=truncation)

    def translation(
        self,
        text: str,
        *,
        src_lang: str | None = None,
        tgt_lang: str | None = None,
        task: str | None = None,
        truncation: bool = False,
    ) -> Prompt:
        """Return the prompt that asks for a translation.

        Tokenizers with languages (mBART, M2M100, NLLB) need both of them and force the target's
        token at the beginning; other models are asked by prefix, which `task` picks
        (`translation_en_to_de`; made of the two languages where it is not given).
        """
        if task is None:
            named = src_lang and tgt_lang
            task = f"translation_{src_lang}_to_{tgt_lang}" if named else "translation"
        if not self.has_languages:
            return self.text(text, task=task, truncation=truncation)
        self._check_text(text)
        src, tgt = self._language("src_lang", src_lang), self._language("tgt_lang", tgt_lang)
        with self._lock:
            inputs = self._tokenizer._build_translation_inputs(
                text, src_lang=src, tgt_lang=tgt, return_tensors=None
            )
        prompt = self._fit(list(inputs["input_ids"]), task=task, truncation=truncation)
        return Prompt(
            prompt.ids, prompt.is_truncated, int(inputs["forced_bos_token_id"]), prompt.task
        )

    def count_tokens(self, text: str) -> int:
        """Return how many tokens `text` has by itself, special ones included."""
        with self._lock:
            return len(self._encode(text))

    def text_of(self, ids: Sequence[int], *, field: str) -> str:
        """Return the text that these tokens are; raises as `token_ids.text_of` does."""
        with self._lock:
            return token_ids.text_of(
                ids,
                field=field,
                n_words=len(self._tokenizer),
                max_tokens=self._max_tokens,
                decode=lambda hides: self._tokenizer.decode(
                    list(ids), skip_special_tokens=hides, clean_up_tokenization_spaces=False
                ),
                encode=lambda text, framed: self._encode(text, add_special_tokens=framed),
            )

    def texts_of(self, ids: Sequence[int]) -> list[str]:
        """Return the text of each token by itself, special ones included."""
        with self._lock:
            return [self._tokenizer.decode([each]) for each in ids]

    def room(self, task: str | None = None) -> int:
        """Return how many tokens a text may have beside the model's prefix for `task`."""
        prefix = self._prefix_of(task)
        with self._lock:
            taken = len(self._encode(prefix, add_special_tokens=False)) if prefix else 0
        return max(1, self._max_tokens - taken)

    def _encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        encoded = self._tokenizer(
            text, add_special_tokens=add_special_tokens, return_attention_mask=False
        )
        return list(encoded["input_ids"])

    def _fit(self, ids: list[int], *, task: str | None, truncation: bool) -> Prompt:
        if len(ids) <= self._max_tokens:
            return Prompt(tuple(ids), task=task)
        if not truncation:
            raise TextTooLong(
                f"The text has {len(ids)} tokens; this model takes {self._max_tokens}. Shorten "
                "it, or set 'parameters.truncation' to true.",
                details={"limit": self._max_tokens, "n_tokens": len(ids)},
            )
        return Prompt(tuple(self._shortened(ids)), is_truncated=True, task=task)

    def _shortened(self, ids: list[int]) -> list[int]:
        """Cut text off, not the special tokens around it."""
        special = frozenset(self._tokenizer.all_special_ids)
        before = 0
        while before < len(ids) and ids[before] in special:
            before += 1
        after = len(ids)
        while after > before and ids[after - 1] in special:
            after -= 1
        room = self._max_tokens - before - (len(ids) - after)
        if room < 1:
            return ids[: self._max_tokens]
        text = ids[before:after]
        kept = text[:room] if self._is_encoder_decoder else text[-room:]
        return [*ids[:before], *kept, *ids[after:]]

    def _language(self, field: str, value: str | None) -> str:
        known = self.languages
        if value is not None and value in known:
            return value
        shown = ", ".join(sorted(known)[:200])
        what = "is missing" if value is None else f"is {value!r}, which the model does not have"
        raise InvalidRequest(
            f"'parameters.{field}' {what}; send one of: {shown}.",
            details={"field": f"parameters.{field}"},
        )

    def _check_text(self, text: str) -> None:
        if not text.strip():
            raise InvalidText("The text is empty. Send at least one character that is no blank.")
        if "\0" in text:
            raise InvalidText("The text has a NUL character. Remove it.")
        if len(text) > self._max_chars:
            raise TextTooLong(
                f"The text has {len(text)} characters; {self._max_chars} are allowed. Shorten or "
                "split it.",
                details={"limit": self._max_chars},
            )

    def _check_messages(self, messages: Sequence[Mapping[str, Any]]) -> None:
        if not 0 < len(messages) <= MAX_MESSAGES:
            raise InvalidRequest(
                f"'messages' holds {len(messages)} messages; send 1 to {MAX_MESSAGES}.",
                details={"field": "messages"},
            )
        n_chars = 0
        for at, message in enumerate(messages):
            role, content = message.get("role"), message.get("content")
            if role not in _ROLES:
                raise InvalidRequest(
                    f"'messages[{at}].role' is {role!r}; send one of: {', '.join(_ROLES)}.",
                    details={"field": f"messages[{at}].role"},
                )
            if not isinstance(content, str):
                raise InvalidRequest(
                    f"'messages[{at}].content' is no text; send one.",
                    details={"field": f"messages[{at}].content"},
                )
            n_chars += len(content)
        if n_chars > self._max_chars:
            raise TextTooLong(
                f"The messages have {n_chars} characters; {self._max_chars} are allowed. Drop the "
                "oldest ones.",
                details={"limit": self._max_chars},
            )
