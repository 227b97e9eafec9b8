"""What one request may hold, the same for every dialect."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from inference import decoding
from inference.http import codec
from inference.tasks.inputs import Input, as_list
from inference.tasks.kinds import TaskKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """Sizes in bytes, texts and characters; `timeout_s` is how long an answer may take."""

    max_body_bytes: int
    max_inputs: int
    max_job_inputs: int
    max_text_chars: int
    timeout_s: float

    def read(self, raw: msgspec.Raw, kind: TaskKind) -> list[Input]:
        """Return what a request's `inputs` hold for a model that does `kind`, checked; raises
        InvalidRequest and what `check` raises.
        """
        inputs = as_list(decoding.convert(raw, kind.inputs, "inputs"))
        self.check(inputs, field="inputs")
        return inputs

    def check(self, inputs: Sequence[Input], *, field: str) -> None:
        """Raise when `inputs` hold too many texts or one that no model should see."""
        codec.check_texts(
            inputs,
            field=field,
            max_inputs=self.max_inputs,
            max_chars=self.max_text_chars,
            many_hint=f"Split them, or send up to {self.max_job_inputs} to /async-sentiment.",
        )

    def check_job(self, inputs: Sequence[Input], *, field: str) -> None:
        """Raise as `check` does, by the limit for asynchronous jobs."""
        codec.check_texts(
            inputs,
            field=field,
            max_inputs=self.max_job_inputs,
            max_chars=self.max_text_chars,
            many_hint="Split them into several jobs.",
        )

    def check_messages(self, texts: Sequence[str]) -> None:
        """Raise when the messages of a chat, which belong together, are too long together."""
        codec.check_texts(
            ["\n".join(texts)],
            field="messages",
            max_inputs=1,
            max_chars=self.max_text_chars,
            many_hint="",
        )
