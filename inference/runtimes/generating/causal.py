"""Causal models: newcomers' prompts run together, padded on the left, and join rows that have run
for a while. Every row has its own attention mask and positions, so nobody sees another's padding.
"""

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from inference.generation.ports import Choice, Cohort, Row
from inference.runtimes.cores import CORES
from inference.runtimes.generating import cache as caches
from inference.runtimes.generating.choosing import Chooser, choose_all

Tensor = torch.Tensor


class CausalForward:
    """A causal model's forward pass, with the inputs that its architecture takes."""

    def __init__(self, model: Any, *, pad_id: int, n_cores: int) -> None:
        self.model = model
        self.pad_id = pad_id
        self.n_cores = n_cores
        names = inspect.signature(model.forward).parameters
        self._takes_positions = "position_ids" in names
        self._keeps_last = "logits_to_keep" in names

    def __call__(self, ids: Tensor, mask: Tensor, cache: Any) -> Tensor:
        """Return the logits [n, vocabulary] after the last of `ids` [n, new]; fills `cache`.

        `mask` [n, columns] covers the cached columns and the new ones.
        """
        inputs: dict[str, Any] = {"input_ids": ids, "past_key_values": cache, "use_cache": True}
        if self._takes_positions:
            positions = (mask.cumsum(dim=-1) - 1).clamp(min=0)
            inputs["position_ids"] = positions[:, -ids.shape[1] :]
        if self._keeps_last:
            inputs["logits_to_keep"] = 1
        # Like `generate`: without padding there is no mask to build, and attention is faster.
        inputs["attention_mask"] = None if bool(mask.all()) else mask
        with CORES.share(self.n_cores):
            logits: Tensor = self.model(**inputs, return_dict=True).logits[:, -1]
        return logits

    def whole(self, text: Sequence[int]) -> Tensor:
        """Return the logits [vocabulary] after a text that runs alone and at once."""
        ids = torch.tensor([text], device=self.model.device)
        return self(ids, torch.ones_like(ids), caches.fresh())[0]

    def stepped(self, texts: Sequence[Sequence[int]]) -> Tensor:
        """Return the logits [n, vocabulary] after texts that run together, the last token of each
        by itself.
        """
        ids, mask = self.padded([text[:-1] for text in texts])
        cache = caches.fresh()
        self(ids, mask, cache)
        last = torch.tensor([text[-1:] for text in texts], device=self.model.device)
        return self(last, torch.cat([mask, torch.ones_like(last)], dim=1), cache)

    def padded(self, texts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Return ids and mask [n, longest] with padding on the left."""
        device = self.model.device
        longest = max(map(len, texts))
        ids = torch.full((len(texts), longest), self.pad_id, device=device)
        mask = torch.zeros_like(ids)
        for at, text in enumerate(texts):
            ids[at, longest - len(text) :] = torch.tensor(text, device=device)
            mask[at, longest - len(text) :] = 1
        return ids, mask


class CausalCohort:
    """Rows that share forwards; see `ports.Cohort`. `mask` [n, columns] is 0 for padding."""

    def __init__(
        self,
        forward: CausalForward,
        rows: list[Any],
        cache: Any,
        mask: Tensor,
        logits: Tensor | None = None,
    ) -> None:
        self.rows = rows
        self._forward = forward
        self._cache = cache
        self._mask = mask
        self._logits = logits

    @property
    def n_columns(self) -> int:
        return int(self._mask.shape[1])

    @torch.inference_mode()
    def step(self) -> None:
        columns = self.n_columns
        ids = torch.tensor([[row.ids[-1]] for row in self.rows], device=self._mask.device)
        mask = torch.cat([self._mask, self._mask.new_ones((len(self.rows), 1))], dim=1)
        try:
            self._logits = self._forward(ids, mask, self._cache)
        except BaseException:
            caches.crop(self._cache, columns)
            raise
        self._mask = mask

    @torch.inference_mode()
    def choose(self) -> list[Choice | Exception]:
        assert self._logits is not None  # noqa: S101 - a pass comes first
        logits, self._logits = self._logits, None
        return choose_all(self.rows, logits)

    @torch.inference_mode()
    def keep(self, positions: Sequence[int]) -> None:
        index = list(positions)
        first = self._first_column(index)
        caches.keep(self._cache, index, from_column=first)
        self._mask = self._mask[index, first:]
        self.rows = [self.rows[at] for at in index]

    @torch.inference_mode()
    def split(self, positions: Sequence[int]) -> "CausalCohort":
        index = list(positions)
        first = self._first_column(index)
        return CausalCohort(
            self._forward,
            [self.rows[at] for at in index],
            caches.pick(self._cache, index, from_column=first),
            self._mask[index, first:],
        )

    def can_absorb(self, other: Cohort) -> bool:
        return isinstance(other, CausalCohort)

    @torch.inference_mode()
    def absorb(self, other: "CausalCohort") -> None:
        columns = max(self.n_columns, other.n_columns)
        caches.join(self._cache, other._cache, pads_left=True)
        masks = (self._mask, other._mask)
        self._mask = torch.cat(
            [caches.pad_columns(each, columns, pads_left=True, dim=1) for each in masks]
        )
        self.rows = [*self.rows, *other.rows]

    def _first_column(self, rows: list[int]) -> int:
        """Return the first column in which any of these rows holds a token."""
        return int(self._mask[rows].any(dim=0).int().argmax().item())


@torch.inference_mode()
def prefill(forward: CausalForward, rows: Sequence[Row]) -> CausalCohort:
    """Run the prompts of `rows` in one pass; the first tokens are chosen afterwards."""
    ids, mask = forward.padded([row.plan.prompt.ids for row in rows])
    for row in rows:
        row.chooser = Chooser(forward.model, row, start=row.plan.prompt.ids, source=None)
    cache = caches.fresh()
    return CausalCohort(forward, list(rows), cache, mask, forward(ids, mask, cache))
