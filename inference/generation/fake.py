"""A generating model without a model: deterministic tokens, scripted failures, a memory of passes.

Token ids below 256 are bytes of UTF-8 text; `EOS` ends a text.
"""

import threading
import zlib
from collections.abc import Callable, Container, Sequence
from typing import Any

from inference.generation.options import GenerationOptions
from inference.generation.ports import BeamInput, Choice, Plan, Prompt

EOS = 256
Script = Callable[[str, Sequence[Any]], BaseException | None]


class FakeCohort:
    """Rows that share fake passes. It counts columns as a real cache would have them."""

    def __init__(self, model: "FakeGenerationModel", rows: list[Any], columns: int) -> None:
        self.rows = rows
        self.n_columns = columns
        self._model = model
        self._has_logits = False

    def step(self) -> None:
        self._model.run("step", self.rows)
        self.n_columns += 1
        self._has_logits = True

    def choose(self) -> list[Choice | Exception]:
        if not self._has_logits:
            raise RuntimeError("there was no pass to choose from")
        self._has_logits = False
        return [Choice(self._model.token(row), -1.0) for row in self.rows]

    def keep(self, positions: Sequence[int]) -> None:
        self.rows = [self.rows[at] for at in positions]
        self.n_columns = max(row.size.n_now for row in self.rows)

    def split(self, positions: Sequence[int]) -> "FakeCohort":
        return FakeCohort(self._model, [self.rows[at] for at in positions], self.n_columns)

    def can_absorb(self, other: Any) -> bool:
        return self._model.can_merge or len(self.rows[0].ids) == len(other.rows[0].ids)

    def absorb(self, other: Any) -> None:
        self.rows = [*self.rows, *other.rows]
        self.n_columns = max(self.n_columns, other.n_columns)


class FakeGenerationModel:
    """Answers from the prompt, the seed and the position alone, whatever shares the batch.

    `script(kind, rows)` sees each pass (`prefill`, `step` or `beam`) and may return an exception to
    raise. `gate`, when given, holds every pass until it is set, for at most `max_hold_s`. `passes`
    lists (kind, indices of the prompts' first ids); `entered` is set once a pass has begun.
    `says(prompt)` gives the token ids of an answer; the default makes letters without end.
    """

    special_ids: Container[int] = frozenset({EOS})
    device = "fake"
    cache_bytes_per_token = 1

    def __init__(
        self,
        *,
        can_merge: bool = True,
        script: Script | None = None,
        gate: threading.Event | None = None,
        says: Callable[[Prompt], Sequence[int]] | None = None,
        max_hold_s: float = 30.0,
    ) -> None:
        self.can_merge = can_merge
        self.passes: list[tuple[str, tuple[int, ...]]] = []
        self.entered = threading.Event()
        self._script = script
        self._gate = gate
        self._says = says
        self._max_hold_s = max_hold_s

    def plan(self, prompt: Prompt, options: GenerationOptions, *, is_streaming: bool) -> Plan:
        return Plan(
            prompt=prompt,
            max_new_tokens=options.max_new_tokens or 20,
            num_beams=options.num_beams or 1,
            n_sequences=options.num_return_sequences or 1,
            do_sample=bool(options.wants_sampling),
            stop=options.stop,
            settings=None,
        )

    def context(self, plan: Plan) -> Sequence[int]:
        return ()

    def is_end(self, plan: Plan, token_id: int) -> bool:
        return token_id == EOS

    def decode(self, ids: Sequence[int], /) -> str:
        return bytes(each for each in ids if each < EOS).decode(errors="replace")

    def prefill(self, rows: Sequence[Any]) -> FakeCohort:
        self.run("prefill", rows)
        cohort = FakeCohort(self, list(rows), max(row.plan.prompt.n_tokens for row in rows))
        cohort._has_logits = True
        return cohort

    def beam_key(self, plan: Plan) -> object:
        return plan.num_beams, plan.n_sequences, plan.max_new_tokens

    def beam(self, inputs: Sequence[BeamInput]) -> list[list[list[int]]]:
        self.run("beam", inputs)
        return [[list(b"beam")] * each.plan.n_sequences for each in inputs]

    def run(self, kind: str, rows: Sequence[Any]) -> None:
        """Remember a pass, wait at the gate, raise what the script says."""
        self.passes.append((kind, tuple(row.plan.prompt.ids[0] for row in rows)))
        self.entered.set()
        if self._gate is not None:
            self._gate.wait(self._max_hold_s)
        error = self._script(kind, rows) if self._script is not None else None
        if error is not None:
            raise error

    def token(self, row: Any) -> int:
        """What this model makes of a row next, in whatever batch."""
        at = len(row.ids)
        if self._says is not None:
            said = self._says(row.plan.prompt)
            return said[at] if at < len(said) else EOS
        seed = row.seed if row.plan.do_sample else 0
        digest = zlib.crc32(repr((row.plan.prompt.ids, seed, at)).encode())
        return ord("a") + digest % 26
