"""From a directory to a model that makes text. Safetensors only, never remote code, never from the
network.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.utils import logging as transformers_logging

from inference.generation.limits import GenerationLimits
from inference.generation.prompts import PromptBuilder
from inference.runtimes.generating.model import TorchGenerationModel, use_device
from inference.runtimes.generating.settings import refuse_unsupported, task_prefix
from inference.runtimes.ports import Placement
from inference.runtimes.torch import refuse_sparse
from inference.tasks.tokenizing import load_tokenizer

# A bar for each load means nothing in a server's log.
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_LAYERS = frozenset({"full_attention", "sliding_attention"})


@dataclass(frozen=True, slots=True)
class LoadedGenerator:
    """What a directory gives: the model for a `Generator`, and what makes its prompts."""

    model: TorchGenerationModel
    prompts: PromptBuilder


def load_generator(
    directory: Path, placement: Placement, limits: GenerationLimits | None = None
) -> LoadedGenerator:
    """Load the model in `directory`; takes seconds.

    Raises ValueError for a model whose state is no key-value cache or that asks for an algorithm
    that is not served, and what the loaders raise for a broken one.
    """
    limits = limits or GenerationLimits()
    local = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(directory, **local)
    tokenizer = load_tokenizer(directory)
    kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
    loaded = kind.from_pretrained(
        directory, **local, use_safetensors=True, dtype=_DTYPES[placement.dtype]
    )
    _check(loaded)
    model = TorchGenerationModel(
        use_device(loaded, placement.device), tokenizer, limits, n_cores=placement.n_cores
    )
    model.check_company(dtype=placement.dtype)
    prompts = PromptBuilder(
        tokenizer,
        max_tokens=model.max_prompt_tokens,
        is_encoder_decoder=model.is_encoder_decoder,
        prefix_of=lambda task: task_prefix(loaded.config, task),
    )
    if prompts.has_languages and not prompts.languages:
        raise ValueError(
            f"{type(tokenizer).__name__} finds no languages; name their tokens under "
            "additional_special_tokens in tokenizer_config.json"
        )
    return LoadedGenerator(model, prompts)


def _check(model: Any) -> None:
    """Refuse what rows cannot join and leave: recurrent states, chunked or compressed attention."""
    refuse_unsupported(model.generation_config)
    refuse_sparse(model.config)
    text = model.config.get_text_config(decoder=True)
    others = set(getattr(text, "layer_types", None) or ()) - _LAYERS
    if (
        others
        or not model._supports_default_dynamic_cache()
        or getattr(model, "_is_stateful", False)
    ):
        raise ValueError(
            f"{model.config.model_type} models keep a state that is not a plain key-value cache"
            f" ({', '.join(sorted(others)) or 'recurrent'}); they cannot share forwards here"
        )
