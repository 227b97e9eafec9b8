"""One sequence on its way from the queue to its last token."""

from typing import Any

from inference.generation.delivery import Parcels, Subscription
from inference.generation.events import FinishEvent, Generated, TokenEvent
from inference.generation.ports import Choice, FinishReason, GenerationModel, Plan
from inference.generation.scheduling import Size
from inference.generation.streaming import TextStream


class SequenceRow:
    """Sequence `sequence` of prompt `index` of one request; belongs to the model's thread."""

    __slots__ = (
        "chooser",
        "finish_reason",
        "ids",
        "index",
        "plan",
        "seed",
        "sequence",
        "started_at",
        "subscription",
        "text",
        "tokens",
    )

    def __init__(
        self, subscription: Subscription, index: int, sequence: int, plan: Plan, seed: int
    ) -> None:
        self.subscription = subscription
        self.index = index
        self.sequence = sequence
        self.plan = plan
        self.seed = seed
        self.ids: list[int] = []
        self.tokens: list[TokenEvent] = []
        self.chooser: Any = None
        self.text: TextStream | None = None
        self.started_at = 0.0
        self.finish_reason: FinishReason | None = None

    @property
    def size(self) -> Size:
        return Size(self.plan.prompt.n_tokens + len(self.ids), self.plan.n_final)

    def start(self, model: GenerationModel, now: float) -> None:
        """It is about to get its first pass."""
        self.started_at = now
        self.text = TextStream(
            model.decode,
            prompt=model.context(self.plan),
            special=model.special_ids,
            stop=self.plan.stop,
        )

    def grow(self, model: GenerationModel, choice: Choice, now: float, parcels: Parcels) -> None:
        """Take one token; send what there is to send, the result too when it was the last one."""
        assert self.text is not None  # noqa: S101 - start comes first
        self.ids.append(choice.token_id)
        piece = self.text.add(choice.token_id)
        self.finish_reason = self._finish_reason(model, choice.token_id)
        if self.finish_reason is not None:
            piece += self.text.finish()
            # What was held back may be what completes a stop text.
            if self.text.has_stopped:
                self.finish_reason = "stop_sequence"
        self._tell(model, choice, piece, parcels)
        if self.finish_reason is not None:
            self._settle(self.finish_reason, now, parcels)

    def _finish_reason(self, model: GenerationModel, token_id: int) -> FinishReason | None:
        if self.text is not None and self.text.has_stopped:
            return "stop_sequence"
        if model.is_end(self.plan, token_id):
            return "eos_token"
        return "length" if len(self.ids) >= self.plan.max_new_tokens else None

    def _tell(self, model: GenerationModel, choice: Choice, piece: str, parcels: Parcels) -> None:
        token = TokenEvent(
            index=self.index,
            sequence=self.sequence,
            token_id=choice.token_id,
            text=piece,
            logprob=choice.logprob,
            is_special=choice.token_id in model.special_ids,
        )
        self.tokens.append(token)
        if self.subscription.is_streaming:
            parcels.push(self.subscription, token)

    def _settle(self, reason: FinishReason, now: float, parcels: Parcels) -> None:
        assert self.text is not None  # noqa: S101 - start comes first
        seed = self.seed if self.plan.do_sample else None
        if self.subscription.is_streaming:
            parcels.push(
                self.subscription,
                FinishEvent(
                    index=self.index,
                    sequence=self.sequence,
                    finish_reason=reason,
                    n_tokens=len(self.ids),
                    seed=seed,
                    text=self.text.text,
                ),
            )
        generated = Generated(
            text=self.text.text,
            token_ids=tuple(self.ids),
            tokens=tuple(self.tokens),
            finish_reason=reason,
            seed=seed,
            n_prompt_tokens=self.plan.prompt.n_tokens,
            is_truncated=self.plan.prompt.is_truncated,
            queue_s=self.started_at - self.subscription.queued_at,
            inference_s=now - self.started_at,
        )
        parcels.settle(self.subscription, self.index, self.sequence, generated)
