"""Directories as the real repositories have them: SentencePiece files and no tokenizer.json."""

import io
import json
from pathlib import Path
from typing import Any

import sentencepiece
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from tests.inference.tiny_generators import CORPUS, SEQ2SEQ, make_model

_FAIRSEQ = {"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1}
_T5 = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
_BPE = {"model_type": "bpe", "byte_fallback": True, "vocab_size": 380}
_NLLB = ["ace_Arab", "deu_Latn", "eng_Latn", "fra_Latn"]
# What a directory is called after: its file, the trainer's arguments, its tokenizer_config.json.
FORMS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "t5": ("spiece.model", _T5, {"tokenizer_class": "T5Tokenizer"}),
    "mt5": ("spiece.model", _T5, {"tokenizer_class": "T5Tokenizer", "extra_ids": 0}),
    "pegasus": ("spiece.model", _T5, {"tokenizer_class": "PegasusTokenizer"}),
    "marian": ("source.spm", _FAIRSEQ, {"source_lang": "en", "target_lang": "de"}),
    "m2m_100": (
        "sentencepiece.bpe.model",
        _FAIRSEQ,
        {"tokenizer_class": "M2M100Tokenizer", "num_madeup_words": 8},
    ),
    "nllb": (
        "sentencepiece.bpe.model",
        _FAIRSEQ,
        {"tokenizer_class": "NllbTokenizer", "additional_special_tokens": _NLLB},
    ),
    "mbart": (
        "sentencepiece.bpe.model",
        _FAIRSEQ,
        {"tokenizer_class": "MBart50Tokenizer", "src_lang": "en_XX"},
    ),
    "mbart25": ("sentencepiece.bpe.model", _FAIRSEQ, {"tokenizer_class": "MBartTokenizer"}),
    "xlm-roberta": ("sentencepiece.bpe.model", _FAIRSEQ, {}),
    "camembert": ("sentencepiece.bpe.model", _FAIRSEQ, {}),
    "albert": (
        "spiece.model",
        {
            "pad_id": 0,
            "unk_id": 1,
            "bos_id": -1,
            "eos_id": -1,
            "control_symbols": "[CLS],[SEP],[MASK]",
        },
        {},
    ),
    "xlnet": (
        "spiece.model",
        {**_FAIRSEQ, "control_symbols": "<cls>,<sep>,<pad>,<mask>,<eod>,<eop>"},
        {},
    ),
    "deberta-v2": (
        "spm.model",
        {
            "pad_id": 0,
            "bos_id": 1,
            "eos_id": 2,
            "unk_id": 3,
            "pad_piece": "[PAD]",
            "bos_piece": "[CLS]",
            "eos_piece": "[SEP]",
            "unk_piece": "[UNK]",
        },
        {"do_lower_case": False, "vocab_type": "spm"},
    ),
    "llama": ("tokenizer.model", {**_FAIRSEQ, **_BPE}, {"tokenizer_class": "LlamaTokenizer"}),
    "gemma": (
        "tokenizer.model",
        {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3, **_BPE},
        {"tokenizer_class": "GemmaTokenizer"},
    ),
}
_MODEL_TYPES = {"nllb": "m2m_100", "mbart25": "mbart"}


def save_sentencepiece(directory: Path, form: str, **generation: Any) -> Path:
    """Save a tiny model that makes text, beside its tokenizer's own files."""
    save_files(directory, form)
    tokenizer = AutoTokenizer.from_pretrained(directory)
    start = {"t5": "pad", "mt5": "pad", "pegasus": "pad", "marian": "pad"}.get(form, "eos")
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    family = _MODEL_TYPES.get(form, form)
    if family in {*SEQ2SEQ, "mt5"}:
        ids["decoder_start_token_id"] = getattr(tokenizer, f"{start}_token_id")
    model = make_model(family, _n_ids(tokenizer), **ids)
    model.generation_config = GenerationConfig(**{**ids, **generation})
    model.save_pretrained(directory, safe_serialization=True)
    return directory


def save_files(directory: Path, form: str) -> None:
    """Save the tokenizer's files and a bare config.json."""
    name, options, config = FORMS[form]
    pieces = _train(directory / name, options)
    words: list[str] = []
    if form == "marian":
        target = _train(directory / "target.spm", {**options, "vocab_size": 110})
        words = ["</s>", "<unk>", *pieces[3:], *target[3:], "<pad>"]
    elif form == "m2m_100":
        words = ["<s>", "<pad>", "</s>", "<unk>", *pieces[3:]]
    if words:
        vocab = {word: at for at, word in enumerate(dict.fromkeys(words))}
        (directory / "vocab.json").write_text(json.dumps(vocab))
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    AutoConfig.for_model(_MODEL_TYPES.get(form, form)).save_pretrained(directory)


def _train(path: Path, options: dict[str, Any]) -> list[str]:
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=made,
        minloglevel=2,
        **{"vocab_size": 160, "character_coverage": 1.0, "hard_vocab_limit": False, **options},
    )
    path.write_bytes(made.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_proto=made.getvalue())
    return [model.id_to_piece(at) for at in range(len(model))]


def _n_ids(tokenizer: Any) -> int:
    """Ids that the tokenizer can read; M2M100's languages are not counted in its length."""
    languages = getattr(tokenizer, "lang_code_to_id", {}).values()
    return max(len(tokenizer), *languages) + 1 if languages else len(tokenizer)
