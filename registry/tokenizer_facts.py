"""What a tokenizer's files say, reduced to what two versions can be compared by (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Compared token by token, or shown as counts, instead of as settings.
_BULK = frozenset({"vocab", "merges", "added_tokens", "added_tokens_decoder"})


@dataclass(frozen=True, slots=True)
class TokenizerFacts:
    """Ids by token, and every other setting of the tokenizer's files by nested name."""

    vocab: Mapping[str, int] = field(default_factory=dict)
    n_merges: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


def read_tokenizer(
    tokenizer: Any, config: Any, special_tokens: Any = None, lines: Iterable[str] = ()
) -> TokenizerFacts:
    """Facts from the parsed tokenizer.json, tokenizer_config.json and special_tokens_map.json.

    `lines` are those of vocab.txt, used where tokenizer.json has no vocabulary. What is missing or
    of another shape counts as empty.
    """
    tokenizer = tokenizer if isinstance(tokenizer, dict) else {}
    model = tokenizer.get("model") if isinstance(tokenizer.get("model"), dict) else {}
    vocab = _vocab(model.get("vocab")) or {line: n for n, line in enumerate(lines)}
    merges = model.get("merges")
    return TokenizerFacts(
        vocab=vocab | _added(tokenizer.get("added_tokens")),
        n_merges=len(merges) if isinstance(merges, list) else 0,
        settings={
            "tokenizer.json": _without_bulk(tokenizer),
            "tokenizer_config.json": _without_bulk(config),
            "special_tokens_map.json": _without_bulk(special_tokens),
        },
    )


def _vocab(vocab: Any) -> dict[str, int]:
    if isinstance(vocab, dict):
        return {token: n for token, n in vocab.items() if isinstance(n, int)}
    if isinstance(vocab, list):
        pairs = (pair for pair in vocab if isinstance(pair, list) and pair)
        return {str(pair[0]): n for n, pair in enumerate(pairs)}
    return {}


def _added(tokens: Any) -> dict[str, int]:
    listed = tokens if isinstance(tokens, list) else []
    return {
        token["content"]: token["id"]
        for token in listed
        if isinstance(token, dict)
        and isinstance(token.get("content"), str)
        and isinstance(token.get("id"), int)
    }


def _without_bulk(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _without_bulk(item) for key, item in value.items() if key not in _BULK}
