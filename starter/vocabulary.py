"""A smaller WordPiece vocabulary: which pieces stay, and the embeddings they keep."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertForSequenceClassification

PAD, UNKNOWN = "[PAD]", "[UNK]"
SPECIAL = (PAD, UNKNOWN, "[CLS]", "[SEP]", "[MASK]")
CONTINUATION = "##"
_CHUNK = 4096


def special_id(tokenizer: Tokenizer, piece: str) -> int:
    """Return the number of a piece that the tokenizer must have."""
    number = tokenizer.token_to_id(piece)
    if number is None:
        raise ValueError(f"The tokenizer has no {piece}.")
    return int(number)


def count_pieces(tokenizer: Tokenizer, texts: Sequence[str]) -> Counter[str]:
    """Count how often each piece occurs in the texts, special tokens left out."""
    counts: Counter[str] = Counter()
    for start in range(0, len(texts), _CHUNK):
        chunk = list(texts[start : start + _CHUNK])
        for encoding in tokenizer.encode_batch(chunk, add_special_tokens=False):
            counts.update(encoding.tokens)
    return counts


def mix_shares(parts: Iterable[Mapping[str, int]]) -> dict[str, float]:
    """Add up the relative frequencies of several counts, each weighing the same.

    The corpora differ in size; raw counts would let the largest one decide.
    """
    shares: dict[str, float] = {}
    for counts in parts:
        total = sum(counts.values())
        for piece, count in counts.items():
            shares[piece] = shares.get(piece, 0.0) + count / total
    return shares


def is_required(piece: str) -> bool:
    """Whether a piece stays whatever its frequency.

    With every single character kept, at the start and inside a word, no word that
    the base vocabulary could spell turns into the unknown token.
    """
    return piece in SPECIAL or len(piece.removeprefix(CONTINUATION)) == 1


def choose_pieces(base: Mapping[str, int], shares: Mapping[str, float], size: int) -> list[str]:
    """Return the pieces to keep, in the order of the base vocabulary.

    Ties, and pieces never seen, go to the lower base id: that vocabulary is itself
    ordered by frequency. Raises ValueError when the required pieces alone exceed size.
    """
    required = {piece for piece in base if is_required(piece)}
    if len(required) > size:
        raise ValueError(f"{len(required)} required pieces do not fit into {size}.")
    # «[unused0]» and its like are placeholders, never produced by a text.
    optional = [p for p in base if p not in required and not p.startswith("[unused")]
    optional.sort(key=lambda piece: (-shares.get(piece, 0.0), base[piece]))
    kept = required.union(optional[: size - len(required)])
    return sorted(kept, key=base.__getitem__)


def cut_tokenizer(tokenizer: Tokenizer, pieces: Sequence[str]) -> Tokenizer:
    """Return the same tokenizer over fewer pieces, renumbered from zero."""
    ids = {piece: number for number, piece in enumerate(pieces)}
    state = json.loads(tokenizer.to_str())
    state["model"]["vocab"] = ids
    state["truncation"] = state["padding"] = None
    state["added_tokens"] = [
        {**token, "id": ids[token["content"]]} for token in state["added_tokens"]
    ]
    for token in state["post_processor"]["special_tokens"].values():
        token["ids"] = [ids[content] for content in token["tokens"]]
    return Tokenizer.from_str(json.dumps(state))


def cut_embeddings(model: BertForSequenceClassification, kept: Sequence[int], pad_id: int) -> None:
    """Keep only the given rows of the word embeddings, in place."""
    rows: Tensor = model.bert.embeddings.word_embeddings.weight.detach()[list(kept)]
    smaller = nn.Embedding(len(kept), rows.shape[1], padding_idx=pad_id)
    smaller.weight = nn.Parameter(rows.clone())
    model.bert.embeddings.word_embeddings = smaller
    model.config.vocab_size = len(kept)
    model.config.pad_token_id = pad_id
