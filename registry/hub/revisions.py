"""Commits as the Hub reads them, and what their files say of the model. Both are remembered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any

from access.errors import BellwetherError
from registry.cards.lint import README, card_data
from registry.facts import read_facts
from registry.inspection import CHOICES, CONFIG
from registry.location import open_store
from registry.models import Commit
from registry.queries import find_model
from registry.refs import CommitFile, CommitSpec, commit_spec, find_commit

MAX_CARD_BYTES = 2 * 1024**2
MAX_CONFIG_BYTES = 2 * 1024**2
MAX_HEADER_BYTES = 8 * 1024**2
MAX_WEIGHT_FILES = 64
MAX_REMEMBERED = 512
# A commit of a thousand files takes about a megabyte.
MAX_REMEMBERED_COMMITS = 64
# What the Hub shows of a configuration.
CONFIG_KEYS = ("architectures", "model_type", "id2label", "tie_word_embeddings", "vocab_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFacts:
    """`card` is the README's front matter, `parameters` their number by dtype."""

    card: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    library: str | None = None
    task: str | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


def load_commit(name: str, revision: str) -> CommitSpec:
    """The commit that `revision` of a model means; raises ModelNotFound or RevisionNotFound.

    A download asks for one commit again and again, and a commit never changes.
    """
    row = find_commit(find_model(name), revision)
    return _load(row.pk, row.oid)


def read_revision(commit: CommitSpec) -> RevisionFacts:
    """The facts of a commit; what cannot be read is left out."""
    files = tuple((file.path, file.sha256, file.size) for file in commit.files)
    return _read(tuple(each for each in files if _counts(each[0])))


@lru_cache(maxsize=MAX_REMEMBERED_COMMITS)
def _load(key: int, oid: str) -> CommitSpec:
    row = Commit.objects.select_related("model").get(pk=key, oid=oid)
    return commit_spec(row.model, row)


def _counts(path: str) -> bool:
    return path in (README, CONFIG, CHOICES) or path.endswith(".safetensors")


@lru_cache(maxsize=MAX_REMEMBERED)
def _read(files: tuple[tuple[str, str, int], ...]) -> RevisionFacts:
    by_path = {path: CommitFile(path, size, sha, "", False) for path, sha, size in files}
    card = card_data(_text(by_path.get(README), MAX_CARD_BYTES))
    config = _json(by_path.get(CONFIG))
    weights = [file for file in by_path.values() if file.path.endswith(".safetensors")]
    parameters = _count_parameters(weights)
    task = card.get("pipeline_tag") or _task(config, _json(by_path.get(CHOICES)))
    library = card.get("library_name") or ("transformers" if config else None)
    return RevisionFacts(
        card=card,
        config={key: config[key] for key in CONFIG_KEYS if key in config},
        library=library if isinstance(library, str) else None,
        task=task if isinstance(task, str) else None,
        parameters=parameters,
        tags=_tags(card, library, task, has_weights=bool(weights), config=config),
    )


def _task(config: dict[str, Any], choices: dict[str, Any]) -> str | None:
    try:
        return read_facts(config, choices).task if config else None
    except BellwetherError:
        return None


def _tags(
    card: Mapping[str, Any], library: Any, task: Any, *, has_weights: bool, config: dict[str, Any]
) -> tuple[str, ...]:
    tags = [library, "safetensors" if has_weights else None, config.get("model_type"), task]
    for key in ("tags", "language"):
        value = card.get(key)
        tags += value if isinstance(value, list) else [value]
    for key in ("license", "base_model"):
        tags += [f"{key}:{card[key]}"] if isinstance(card.get(key), str) else []
    return tuple(dict.fromkeys(tag for tag in tags if isinstance(tag, str) and tag))


def _json(file: CommitFile | None) -> dict[str, Any]:
    try:
        value = json.loads(_text(file, MAX_CONFIG_BYTES) or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(file: CommitFile | None, limit: int) -> str:
    if file is None or file.size > limit:
        return ""
    try:
        return open_store().blob(file.sha256).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _count_parameters(weights: list[CommitFile]) -> dict[str, int]:
    counts: dict[str, int] = {}
    if len(weights) > MAX_WEIGHT_FILES:
        return {}
    for file in weights:
        try:
            with open_store().blob(file.sha256).open("rb") as stream:
                length = int.from_bytes(stream.read(8), "little")
                header = json.loads(stream.read(length)) if length <= MAX_HEADER_BYTES else {}
            for name, tensor in header.items():
                if name != "__metadata__":
                    dtype = str(tensor["dtype"])
                    counts[dtype] = counts.get(dtype, 0) + prod(tensor["shape"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}
    return counts
