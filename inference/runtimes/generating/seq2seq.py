"""Encoder-decoders: rows that start together share forwards. Their decoders count positions by the
cache's width, so rows of another age cannot join; those of the same age can.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import EncoderDecoderCache
from transformers.modeling_outputs import BaseModelOutput

from inference.generation.ports import Choice, Cohort, Row
from inference.runtimes.cores import CORES
from inference.runtimes.generating import cache as caches
from inference.runtimes.generating.choosing import Chooser, choose_all

Tensor = torch.Tensor

# Any tokens, to try a decoder out.
_TARGET = (5, 17)


class Seq2SeqForward:
    """An encoder-decoder's two passes."""

    def __init__(self, model: Any, *, pad_id: int, n_cores: int) -> None:
        self.model = model
        self.pad_id = pad_id
        self.n_cores = n_cores

    def encode(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the encoder's states [n, source, hidden]."""
        with CORES.share(self.n_cores):
            output = self.model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True)
        states: Tensor = output.last_hidden_state
        return states

    def decode(self, ids: Tensor, states: Tensor, mask: Tensor, cache: Any) -> Tensor:
        """Return the logits [n, vocabulary] after `ids` [n, 1]; fills `cache`."""
        with CORES.share(self.n_cores):
            output = self.model(
                encoder_outputs=BaseModelOutput(last_hidden_state=states),
                attention_mask=mask,
                decoder_input_ids=ids,
                past_key_values=cache,
                use_cache=True,
                return_dict=True,
            )
        logits: Tensor = output.logits[:, -1]
        return logits

    def whole(self, text: Sequence[int]) -> Tensor:
        """Return the logits [vocabulary] after a source that runs alone and `_TARGET` at once."""
        ids, mask = self.padded([text])
        target = torch.tensor([_TARGET], device=self.model.device)
        return self.decode(target, self.encode(ids, mask), mask, fresh())[0]

    def stepped(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return the logits [n, vocabulary] after sources that run together and `_TARGET` token by
        token.
        """
        ids, mask = self.padded(texts)
        states, cache = self.encode(ids, mask), fresh()
        for token in _TARGET:
            target = torch.full((len(texts), 1), token, device=self.model.device)
            logits = self.decode(target, states, mask, cache)
        return logits

    def padded(self, texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return ids and mask [n, longest] with padding on the right."""
        device = self.model.device
        ids = torch.full((len(texts), max(map(len, texts))), self.pad_id, device=device)
        mask = torch.zeros_like(ids)
        for at, text in enumerate(texts):
            ids[at, : len(text)] = torch.tensor(text, device=device)
            mask[at, : len(text)] = 1
        return ids, mask


def fresh() -> EncoderDecoderCache:
    return EncoderDecoderCache(caches.fresh(), caches.fresh())


class Seq2SeqCohort:
    """Rows of equal age; see `ports.Cohort`. `states` [n, source, hidden] and `mask` [n, source]
    are padded on the right; the decoder's columns have no padding.
    """

    def __init__(
        self,
        forward: Seq2SeqForward,
        rows: list[Any],
        cache: EncoderDecoderCache,
        states: Tensor,
        mask: Tensor,
        logits: Tensor | None = None,
    ) -> None:
        self.rows = rows
        self._forward = forward
        self._cache = cache
        self._states = states
        self._mask = mask
        self._logits = logits

    @property
    def n_columns(self) -> int:
        return int(self._mask.shape[1]) + caches.n_columns(self._cache.self_attention_cache)

    @torch.inference_mode()
    def step(self) -> None:
        columns = caches.n_columns(self._cache.self_attention_cache)
        ids = torch.tensor([[row.ids[-1]] for row in self.rows], device=self._mask.device)
        try:
            self._logits = self._forward.decode(ids, self._states, self._mask, self._cache)
        except BaseException:
            caches.crop(self._cache.self_attention_cache, columns)
            raise

    @torch.inference_mode()
    def choose(self) -> list[Choice | Exception]:
        assert self._logits is not None  # noqa: S101 - a pass comes first
        logits, self._logits = self._logits, None
        return choose_all(self.rows, logits)

    @torch.inference_mode()
    def keep(self, positions: Sequence[int]) -> None:
        index = list(positions)
        width = self._width(index)
        caches.keep(self._cache.self_attention_cache, index)
        caches.keep(self._cache.cross_attention_cache, index, to_column=width)
        self._states = self._states[:, :width][index]
        self._mask = self._mask[index, :width]
        self.rows = [self.rows[at] for at in index]

    @torch.inference_mode()
    def split(self, positions: Sequence[int]) -> "Seq2SeqCohort":
        index = list(positions)
        cache = EncoderDecoderCache(
            caches.pick(self._cache.self_attention_cache, index),
            caches.pick(self._cache.cross_attention_cache, index),
        )
        rows = [self.rows[at] for at in index]
        return Seq2SeqCohort(self._forward, rows, cache, self._states[index], self._mask[index])

    def can_absorb(self, other: Cohort) -> bool:
        return isinstance(other, Seq2SeqCohort) and caches.n_columns(
            self._cache.self_attention_cache
        ) == caches.n_columns(other._cache.self_attention_cache)

    @torch.inference_mode()
    def absorb(self, other: "Seq2SeqCohort") -> None:
        width = max(self._mask.shape[1], other._mask.shape[1])
        caches.join(
            self._cache.self_attention_cache, other._cache.self_attention_cache, pads_left=True
        )
        caches.join(
            self._cache.cross_attention_cache, other._cache.cross_attention_cache, pads_left=False
        )
        for name in ("_states", "_mask"):
            padded = [
                caches.pad_columns(getattr(each, name), width, pads_left=False, dim=1)
                for each in (self, other)
            ]
            setattr(self, name, torch.cat(padded))
        self.rows = [*self.rows, *other.rows]

    def _width(self, rows: list[int]) -> int:
        return int(self._mask[rows].sum(dim=1).max().item())


@torch.inference_mode()
def prefill(forward: Seq2SeqForward, rows: Sequence[Row], start_id: int) -> Seq2SeqCohort:
    """Run the encoder over the prompts of `rows`, and the decoder's first step."""
    ids, mask = forward.padded([row.plan.prompt.ids for row in rows])
    for row in rows:
        row.chooser = Chooser(forward.model, row, start=[start_id], source=row.plan.prompt.ids)
    states, cache = forward.encode(ids, mask), fresh()
    start = torch.full((len(rows), 1), start_id, device=ids.device)
    logits = forward.decode(start, states, mask, cache)
    return Seq2SeqCohort(forward, list(rows), cache, states, mask, logits)
