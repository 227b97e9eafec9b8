"""Tiny real architectures, random weights, a real fast tokenizer: saved as users save theirs."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedTokenizerFast

from tests.inference.architectures import SIZES

CORPUS = [
    "I did not expect to like this film, but it is wonderful.",
    "The plot is thin, the acting wooden and the ending a disaster.",
    "A warm, funny and moving story about two brothers and their dog.",
    "It was too long; nobody in the cinema laughed even once!",
    "Numbers 0 1 2 3 4 5 6 7 8 9 and letters a b c d e f g h i j k l m n o p q r s t u v w x y z",
]
ARCHITECTURES = ("bert", "distilbert", "roberta", "electra", "albert", "mpnet", "deberta-v2")
_WITH_TYPES = {"bert", "electra", "albert", "xlnet", "big_bird"}
# Longformer counts three.
_PAIRS = {"longformer": "[CLS] $A [SEP] [SEP] $B [SEP]"}
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def save_tiny(
    directory: Path,
    architecture: str = "bert",
    *,
    labels: tuple[str, ...] = ("NEGATIVE", "POSITIVE"),
    seed: int = 0,
    auto: Any = AutoModelForSequenceClassification,
    **config: object,
) -> Path:
    """Save a 2-layer model of width 32 into `directory`, with the head of `auto`; weights differ
    by `seed`.
    """
    torch.manual_seed(seed)
    tokenizer = _tokenizer(architecture)
    made = AutoConfig.for_model(architecture, **_sizes(architecture, len(tokenizer)))
    made.update(
        {
            "id2label": dict(enumerate(labels)),
            "label2id": {label: index for index, label in enumerate(labels)},
            "pad_token_id": tokenizer.pad_token_id,
            # Some heads look for a text's end.
            "eos_token_id": tokenizer.sep_token_id,
            "sep_token_id": tokenizer.sep_token_id,
            "decoder_start_token_id": tokenizer.pad_token_id,
            **config,
        }
    )
    model = auto.from_config(made).eval()
    # Fresh heads answer nearly the same for every text; stretched, they tell texts apart.
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "classifier" in name or "pooler" in name or "pre_classifier" in name:
                parameter.mul_(8)
    model.save_pretrained(directory, safe_serialization=True)
    tokenizer.save_pretrained(directory)
    return directory


def _sizes(architecture: str, vocab_size: int) -> dict[str, object]:
    return {**SIZES[architecture], "vocab_size": vocab_size}


def _tokenizer(architecture: str) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(
        CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=_SPECIAL)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair=_PAIRS.get(architecture, "[CLS] $A [SEP] $B:1 [SEP]:1"),
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = ["input_ids", "attention_mask"]
    if architecture in _WITH_TYPES:
        names.insert(1, "token_type_ids")
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
        model_input_names=names,
    )
