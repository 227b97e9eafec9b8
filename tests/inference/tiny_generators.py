"""Tiny models that make text: real architectures, a real fast tokenizer, weights from numpy.

Every weight is made from its name, its shape and the seed, not by the library, so another version
of transformers builds the same model. Logits lie far apart: likeliest tokens do not depend on the
last bits of sums.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GenerationConfig,
    PreTrainedTokenizerFast,
)

from tests.inference.architectures import SIZES

CORPUS = [
    "The bellwether leads the flock and shows where it is heading.",
    "A model that makes text reads what it has made and goes on from there.",
    "Nobody knows how the weather will be tomorrow; everybody talks about it today.",
    "Der Leithammel führt die Herde. Le bélier guide le troupeau. Привет, мир!",
    "Numbers 0 1 2 3 4 5 6 7 8 9 and signs . , ; : ! ? ( ) - \" '",
]
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
BOS, PAD, EOS, UNK = range(4)
CAUSAL = (
    "gpt2",
    "llama",
    "qwen2",
    "qwen3",
    "mistral",
    "mixtral",
    "gpt_neox",
    "opt",
    "bloom",
    "falcon",
    "gemma",
    "gemma2",
    "gemma3_text",
    "phi3",
    "stablelm",
)
SEQ2SEQ = ("t5", "bart", "marian", "mbart", "m2m_100", "pegasus", "mt5", "led")
POSITIONS = 96
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<s>' + m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
# Between a prompt's end and its answer some architectures put tokens, others do not.
_FRAMES = {
    "llama": "<s> $A",
    "mistral": "<s> $A",
    "gemma": "<s> $A",
    "gemma2": "<s> $A",
    "gemma3_text": "<s> $A",
    "opt": "</s> $A",
    "bart": "<s> $A </s>",
    "led": "<s> $A </s>",
    "t5": "$A </s>",
    "mt5": "$A </s>",
    "marian": "$A </s>",
    "mbart": "$A </s>",
    "m2m_100": "$A </s>",
    "pegasus": "$A </s>",
}


def save_generator(
    directory: Path,
    family: str = "gpt2",
    *,
    seed: int = 0,
    gain: float = 4.0,
    tokenizer: Any = None,
    chat_template: str | None = None,
    generation: dict[str, Any] | None = None,
    **config: Any,
) -> Path:
    """Save a 2-layer model of width 32 with its tokenizer; `generation` goes into
    generation_config.json, `gain` stretches the logits.
    """
    tokenizer = tokenizer or make_tokenizer(family)
    tokenizer.chat_template = chat_template
    model = make_model(family, len(tokenizer), seed=seed, gain=gain, **config)
    for name, value in {**_special_ids(family), **(generation or {})}.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(directory, safe_serialization=True)
    tokenizer.save_pretrained(directory)
    return directory


def make_model(
    family: str, vocab_size: int, *, seed: int = 0, gain: float = 4.0, **config: Any
) -> Any:
    """Return the model in memory, in float32 and evaluation mode."""
    sizes = {**_sizes(family), "vocab_size": vocab_size, **_special_ids(family), **config}
    made = AutoConfig.for_model(family, **sizes)
    kind = AutoModelForSeq2SeqLM if made.is_encoder_decoder else AutoModelForCausalLM
    model = kind.from_config(made).float().eval()
    model.generation_config = GenerationConfig(**_special_ids(family))
    # What causal layers add must outweigh what comes in, or each token repeats itself.
    fill(model, seed=seed, gain=gain, table_gain=gain * (1.0 if family in SEQ2SEQ else 0.1))
    return model


def fill(model: Any, *, seed: int, gain: float, table_gain: float) -> None:
    """Give every parameter numbers that depend on its name, shape and the seed only."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            shape = tuple(parameter.shape)
            random = np.random.default_rng(zlib.crc32(f"{seed} {name} {shape}".encode()))
            numbers = random.standard_normal(shape).astype(np.float32)
            if len(shape) < 2:
                is_norm = "weight" in name
                numbers = 1 + 0.1 * numbers if is_norm else 0.1 * numbers
            else:
                is_table = any(part in name for part in ("embed", "shared", "wte", "wpe"))
                numbers *= (table_gain if is_table else gain) / np.sqrt(shape[-1])
            parameter.copy_(torch.from_numpy(numbers))


def make_tokenizer(family: str = "gpt2") -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer: every text has tokens, characters may need several."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=SPECIAL,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    if family in _FRAMES:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=_FRAMES[family], special_tokens=[("<s>", BOS), ("</s>", EOS)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        model_max_length=POSITIONS,
        model_input_names=["input_ids", "attention_mask"],
    )


def _special_ids(family: str) -> dict[str, Any]:
    ids: dict[str, Any] = {"bos_token_id": BOS, "eos_token_id": EOS, "pad_token_id": PAD}
    if family in SEQ2SEQ:
        ids["decoder_start_token_id"] = (
            EOS if family in {"bart", "mbart", "m2m_100", "led"} else PAD
        )
    return ids


def _sizes(family: str) -> dict[str, Any]:
    sizes = SIZES[family]
    # Tables of their own, so that what comes in and what goes out differ.
    return {**sizes, "tie_word_embeddings": False} if family in {"mbart", "m2m_100"} else sizes
