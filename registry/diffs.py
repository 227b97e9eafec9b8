"""How two versions differ: configuration, labels, tokenizer, metrics, tensors, files (pure).

Every list in the result is cut to MAX_LISTED entries; the counts beside it are whole.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.cards.lint import Metric
from registry.manifests import ManifestFile
from registry.safetensors_header import Tensor, count_parameters
from registry.tokenizer_facts import TokenizerFacts

MAX_LISTED = 100
MAX_EXAMPLES = 20
MAX_VALUE_CHARS = 200
MAX_DEPTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is compared of a version. `golden` are its cases as they are stored."""

    facts: Mapping[str, Any]
    files: Mapping[str, ManifestFile]
    config: Any
    labels: tuple[str, ...]
    tokenizer: TokenizerFacts
    tensors: Mapping[str, Tensor]
    metrics: tuple[Metric, ...]
    golden: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A value in both versions, shortened for showing; None stands for its absence."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Named values that only one version has, or that differ; listed by name."""

    n_added: int
    n_removed: int
    n_changed: int
    listed: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.n_added or self.n_removed or self.n_changed)


@dataclass(frozen=True, slots=True)
class GoldenPair:
    """One input's stored answers; `is_flip` where the labels differ."""

    input: str
    before: str | None
    after: str | None
    is_flip: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDiff:
    """Every way in which `after` differs from `before`.

    `has_same_weights`: the safetensors files are the same, byte for byte. `tokens` lists changes of
    tokens' ids; `parameters` the values of each type.
    """

    facts: Changes
    config: Changes
    labels: Changes
    tokenizer: Changes
    tokens: Changes
    metrics: Changes
    parameters: Changes
    tensors: Changes
    files: Changes
    has_same_weights: bool
    golden: tuple[GoldenPair, ...]
    n_flips: int

    def parts(self) -> dict[str, Changes]:
        """The changes by the name of their part, in the order for reading."""
        names = ("facts", "config", "labels", "tokenizer", "tokens")
        more = ("metrics", "parameters", "tensors", "files")
        return {name: getattr(self, name) for name in (*names, *more)}


def diff_versions(before: Contents, after: Contents) -> VersionDiff:
    """Compare two versions; the first is the one that the changes start from."""
    golden = _pair_golden(before.golden, after.golden)
    return VersionDiff(
        facts=_compare(before.facts, after.facts),
        config=_compare(flatten(before.config), flatten(after.config)),
        labels=_compare(_positions(before.labels), _positions(after.labels)),
        tokenizer=_compare(_settings(before.tokenizer), _settings(after.tokenizer)),
        tokens=_compare(before.tokenizer.vocab, after.tokenizer.vocab, limit=MAX_EXAMPLES),
        metrics=_compare(_metrics(before.metrics), _metrics(after.metrics)),
        parameters=_compare(
            count_parameters(before.tensors.values()), count_parameters(after.tensors.values())
        ),
        tensors=_compare(before.tensors, after.tensors, show=_tensor),
        files=_compare(before.files, after.files, show=_file, same=_is_same_file),
        has_same_weights=_weights(before) == _weights(after),
        golden=tuple(golden[:MAX_LISTED]),
        n_flips=sum(pair.is_flip for pair in golden),
    )


def flatten(value: Any, prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """Leaves of nested objects by their path; a list is one leaf.

    >>> flatten({"a": {"b": 1}, "c": [1, 2]})
    {'a.b': 1, 'c': [1, 2]}
    """
    if not isinstance(value, dict) or depth >= MAX_DEPTH:
        return {} if value is None and not prefix else {prefix: value}
    leaves: dict[str, Any] = {}
    for key, item in value.items():
        leaves |= flatten(item, f"{prefix}.{key}" if prefix else str(key), depth + 1)
    return leaves


def _compare(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    show: Callable[[Any], str] | None = None,
    same: Callable[[Any, Any], bool] = lambda one, other: bool(one == other),
    limit: int = MAX_LISTED,
) -> Changes:
    shown = show or _shown
    added = sorted(after.keys() - before.keys())
    removed = sorted(before.keys() - after.keys())
    changed = sorted(
        name for name in before.keys() & after.keys() if not same(before[name], after[name])
    )
    listed = [
        *(Change(_cut(n), shown(before[n]), shown(after[n])) for n in changed[:limit]),
        *(Change(_cut(n), None, shown(after[n])) for n in added[:limit]),
        *(Change(_cut(n), shown(before[n]), None) for n in removed[:limit]),
    ]
    return Changes(
        n_added=len(added), n_removed=len(removed), n_changed=len(changed), listed=tuple(listed)
    )


def _shown(value: Any) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[: MAX_VALUE_CHARS - 1]}…"


def _tensor(tensor: Tensor) -> str:
    return f"{tensor.dtype} {list(tensor.shape)}"


def _file(file: ManifestFile) -> str:
    return f"{file.size} bytes, {file.sha256[:12]}"


def _is_same_file(one: ManifestFile, other: ManifestFile) -> bool:
    return one.sha256 == other.sha256


def _positions(labels: Iterable[str]) -> dict[str, int]:
    return {label: n for n, label in enumerate(labels)}


def _settings(tokenizer: TokenizerFacts) -> dict[str, Any]:
    settings = flatten(tokenizer.settings)
    return settings | {"tokens": len(tokenizer.vocab), "merges": tokenizer.n_merges}


def _metrics(metrics: Iterable[Metric]) -> dict[str, Any]:
    return {f"{m.dataset}: {m.name}" if m.dataset else m.name: m.value for m in metrics}


def _weights(contents: Contents) -> dict[str, str]:
    return {
        path: file.sha256 for path, file in contents.files.items() if path.endswith(".safetensors")
    }


def _pair_golden(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]
) -> list[GoldenPair]:
    earlier, later = _by_input(before), _by_input(after)
    pairs = []
    for text in sorted(earlier.keys() | later.keys()):
        one, other = earlier.get(text), later.get(text)
        is_flip = bool(one and other and one.get("label") != other.get("label"))
        pairs.append(GoldenPair(_cut(text), _answer(one), _answer(other), is_flip))
    # Flips first: they are what somebody must look at before promoting.
    return sorted(pairs, key=lambda pair: not pair.is_flip)


def _by_input(cases: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {str(case.get("input", "")): case for case in cases}


def _answer(case: Mapping[str, Any] | None) -> str | None:
    if case is None:
        return None
    label, scores = str(case.get("label")), case.get("scores")
    score = scores.get(label) if isinstance(scores, Mapping) else None
    return f"{label} {score:.4f}" if isinstance(score, int | float) else label
