"""Beam search through transformers' own `generate`, for prompts of equal settings."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from inference.errors import DeadlineExceeded
from inference.generation.ports import BeamInput, Plan
from inference.runtimes.cores import CORES

Tensor = torch.Tensor


class _Abandoned(StoppingCriteria):
    """Ends a search that nobody waits for any more, at its next step."""

    def __init__(self, inputs: Sequence[BeamInput]) -> None:
        self._inputs = inputs

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        if not any(each.is_awaited() for each in self._inputs):
            raise DeadlineExceeded("Nobody waits for this search any more.")
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def beam_key(plan: Plan, *, is_encoder_decoder: bool) -> object:
    """Return what must be equal for prompts to share a search without changing its result.

    Causal prompts must be equally long, since processors would count padding as text; where a
    processor reads the encoder's input, prompts search alone.
    """
    config = plan.settings
    reads_source = (config.encoder_no_repeat_ngram_size or 0) > 0 or (
        config.encoder_repetition_penalty or 1.0
    ) != 1.0
    same: object = None
    if not is_encoder_decoder:
        same = plan.prompt.n_tokens
    elif reads_source:
        same = plan.prompt.ids
    # What has an underscore are tensors made of the rest.
    public = [(name, value) for name, value in vars(config).items() if not name.startswith("_")]
    return repr(sorted(public, key=lambda item: item[0])), same


@torch.inference_mode()
def search(
    model: Any, inputs: Sequence[BeamInput], *, pad_id: int, n_cores: int
) -> list[list[list[int]]]:
    """Return every prompt's sequences, best first: the new tokens up to the end token."""
    plan = inputs[0].plan
    prompts = [each.plan.prompt.ids for each in inputs]
    longest = max(map(len, prompts))
    ids = torch.full((len(prompts), longest), pad_id, device=model.device)
    mask = torch.zeros_like(ids)
    for at, prompt in enumerate(prompts):
        # On the right: causal prompts of one batch are equally long.
        ids[at, : len(prompt)] = torch.tensor(prompt, device=model.device)
        mask[at, : len(prompt)] = 1
    config = copy.copy(plan.settings)
    # `generate` works it out again, and warns of two lengths at once.
    config.max_length = config.min_length = None
    with CORES.share(n_cores):
        found = model.generate(
            input_ids=ids,
            attention_mask=mask,
            generation_config=config,
            stopping_criteria=StoppingCriteriaList([_Abandoned(inputs)]),
        )
    n_start = 1 if model.config.is_encoder_decoder else longest
    rows = found[:, n_start:].tolist()
    n, ends = plan.n_sequences, _ends(plan)
    cut = [_cut(row, ends, plan.max_new_tokens) for row in rows]
    return [cut[at * n : (at + 1) * n] for at in range(len(inputs))]


def _ends(plan: Plan) -> set[int]:
    eos = plan.settings.eos_token_id
    return set() if eos is None else set(eos if isinstance(eos, list) else [eos])


def _cut(row: list[int], ends: set[int], most: int) -> list[int]:
    for at, token in enumerate(row):
        if token in ends:
            return row[: at + 1]
    return row[:most]
