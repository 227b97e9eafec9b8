"""Which token a row takes: transformers' own processors, one list for each row, then the likeliest
token or a drawn one.
"""

from collections.abc import Sequence
from typing import Any

import torch

from inference.generation.ports import Choice, Row

Tensor = torch.Tensor


class Chooser:
    """One row's processors, as `generate` would make them for this row alone, and its generator.

    The draws depend on the seed and on the row's own logits only. Those differ in the last bits
    with what else is in the batch, because sums are taken in another order; so the same seed gives
    the same text whatever shares the batch, except where a draw or two likeliest tokens are closer
    to each other than those bits.
    """

    def __init__(
        self, model: Any, row: Row, *, start: Sequence[int], source: Sequence[int] | None
    ) -> None:
        config = row.plan.settings
        device = model.device
        self._start = list(start)
        self._processors = model._get_logits_processor(
            generation_config=config,
            input_ids_seq_length=len(start),
            encoder_input_ids=_ids(source if source is not None else start, device),
            device=str(device),
            model_kwargs={},
        )
        self._generator: torch.Generator | None = None
        if config.do_sample:
            self._generator = torch.Generator(device=device)
            self._generator.manual_seed(row.seed)

    @property
    def is_plain(self) -> bool:
        """Whether the likeliest token of the bare logits is the one."""
        return not self._processors and self._generator is None

    def choose(self, ids: Sequence[int], logits: Tensor) -> int:
        """Return the token after `ids`, given `logits` [1, vocabulary] in float32."""
        scores = self._processors(_ids([*self._start, *ids], logits.device), logits)
        if self._generator is None:
            return int(scores.argmax(dim=-1).item())
        weights = torch.nn.functional.softmax(scores, dim=-1)
        return int(torch.multinomial(weights, 1, generator=self._generator).item())


def choose_all(rows: Sequence[Row], logits: Tensor) -> list[Choice | Exception]:
    """Return one choice for every row of `logits` [n, vocabulary]; a row's own failure is its."""
    logits = logits.float()
    likeliest = logits.argmax(dim=-1).tolist()
    tokens: list[int | Exception] = []
    for position, row in enumerate(rows):
        chooser: Chooser = row.chooser
        if chooser.is_plain:
            tokens.append(int(likeliest[position]))
            continue
        try:
            # A copy, because some processors write into what they get.
            tokens.append(chooser.choose(row.ids, logits[position : position + 1].clone()))
        except Exception as error:
            tokens.append(error)
    return _with_logprobs(tokens, logits)


def _with_logprobs(tokens: list[int | Exception], logits: Tensor) -> list[Choice | Exception]:
    places = torch.tensor(
        [0 if isinstance(token, Exception) else token for token in tokens], device=logits.device
    )
    chosen = logits.gather(1, places.unsqueeze(1)).squeeze(1) - logits.logsumexp(dim=-1)
    return [
        token if isinstance(token, Exception) else Choice(token, logprob)
        for token, logprob in zip(tokens, chosen.tolist(), strict=True)
    ]


def _ids(ids: Sequence[int], device: torch.device) -> Tensor:
    return torch.tensor([list(ids)], dtype=torch.long, device=device)
