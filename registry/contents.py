"""What a version's stored files say: its card, its configuration, its tensors.

Everything is read with a bound and, where it is read whole, checked against its digest first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from registry.cards.front_matter import split
from registry.cards.lint import (
    README,
    CardLint,
    card_data,
    lint_card,
    read_metrics,
)
from registry.cards.sections import CardFacts, render_card
from registry.diffs import Contents, VersionDiff, diff_versions
from registry.errors import ContentRefused, SigningUnavailable
from registry.inspection import INDEX, WEIGHTS
from registry.location import open_store
from registry.manifests import ManifestFile, parse_manifest
from registry.models import Commit, Golden, Version
from registry.queries import find_model, find_version
from registry.safetensors_header import Tensor, count_parameters, read_tensors
from registry.services.signing import load_signatures
from registry.stored import MAX_CARD_BYTES, damaged, load_bytes, load_json
from registry.tokenizer_facts import TokenizerFacts, read_tokenizer

MAX_JSON_BYTES = 32 * 1024**2
MAX_ANCESTORS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CardView:
    """A version's card: README.md as it is, and `markdown`, its text with the registry's part.

    `data` is the front matter, empty where it cannot be read.
    """

    text: str
    markdown: str
    data: dict[str, Any]
    lint: CardLint

    def as_readme(self) -> str:
        """The whole card as a README.md, front matter first."""
        front = split(self.text).yaml
        return self.markdown if front is None else f"---\n{front}---\n\n{self.markdown}"


def load_files(version: Version) -> dict[str, ManifestFile]:
    """A version's files by path."""
    manifest = parse_manifest(version.manifest, digest=version.digest)
    return {file.path: file for file in manifest.files}


def load_readme(version: Version) -> str:
    """The text of README.md; empty where there is none, or it is too large to show."""
    file = load_files(version).get(README)
    data = load_bytes(file, limit=MAX_CARD_BYTES) if file else None
    return "" if data is None else data.decode("utf-8", "replace")


def load_tensors(files: Mapping[str, ManifestFile]) -> dict[str, Tensor]:
    """The tensors of the model's weights, read from the headers alone.

    Raises BlobDamaged where a header cannot be read.
    """
    tensors: dict[str, Tensor] = {}
    for path in _weight_paths(files):
        try:
            with open_store().blob(files[path].sha256).open("rb") as stream:
                tensors |= read_tensors(stream)
        except (OSError, ContentRefused) as error:
            raise damaged(files[path]) from error
    return tensors


def _weight_paths(files: Mapping[str, ManifestFile]) -> list[str]:
    """The one file of weights, or the shards that the index names."""
    if WEIGHTS in files:
        return [WEIGHTS]
    index = load_json(files, INDEX, limit=MAX_JSON_BYTES)
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    shards = set(weight_map.values()) if isinstance(weight_map, dict) else set()
    return sorted(path for path in shards if path in files)


def load_card_facts(version: Version) -> CardFacts:
    """Everything that a version's card tells besides its text."""
    files = load_files(version)
    data = card_data(load_readme(version))
    golden = Golden.objects.filter(version=version).first()
    return CardFacts(
        model=str(version.model),
        number=version.number,
        digest=version.digest,
        task=version.task,
        pooling=version.pooling,
        labels=tuple(version.labels),
        n_bytes=version.n_bytes,
        created_at=version.created_at,
        created_by=version.created_by,
        source=version.source,
        note=version.note,
        commit=version.commit.oid if version.commit else None,
        parent=_parent_number(version),
        base_models=_texts(data.get("base_model")),
        files=tuple(files.values()),
        parameters=count_parameters(load_tensors(files).values()),
        metrics=read_metrics(data),
        golden=tuple(golden.cases) if golden else (),
        golden_tolerance=golden.tolerance if golden else None,
        signatures=_signatures(version),
    )


def load_card(model: str, number: int) -> CardView:
    """A version's card; raises ModelNotFound, VersionNotFound or BlobDamaged."""
    version = find_version(find_model(model), number)
    text = load_readme(version)
    return CardView(
        text=text,
        markdown=render_card(split(text).body, load_card_facts(version)),
        data=card_data(text),
        lint=lint_card(text, task=version.task),
    )


def load_contents(version: Version) -> Contents:
    """What `registry.diffs` compares; files over the bounds count as absent."""
    files = load_files(version)
    golden = Golden.objects.filter(version=version).first()
    return Contents(
        facts={
            "task": version.task,
            "pooling": version.pooling,
            "bytes": version.n_bytes,
            "files": version.n_files,
            "source": version.source,
            "kind": version.kind,
        },
        files=files,
        config=load_json(files, "config.json", limit=MAX_JSON_BYTES),
        labels=tuple(version.labels),
        tokenizer=_load_tokenizer(files),
        tensors=load_tensors(files),
        metrics=read_metrics(card_data(load_readme(version))),
        golden=tuple(golden.cases) if golden else (),
    )


def load_diff(model: str, before: int, after: int) -> VersionDiff:
    """How version `after` differs from `before`.

    Raises ModelNotFound, VersionNotFound or BlobDamaged.
    """
    row = find_model(model)
    one, other = find_version(row, before), find_version(row, after)
    return diff_versions(load_contents(one), load_contents(other))


def _load_tokenizer(files: Mapping[str, ManifestFile]) -> TokenizerFacts:
    vocab = files.get("vocab.txt")
    lines = load_bytes(vocab, limit=MAX_JSON_BYTES) if vocab else None
    return read_tokenizer(
        load_json(files, "tokenizer.json", limit=MAX_JSON_BYTES),
        load_json(files, "tokenizer_config.json", limit=MAX_JSON_BYTES),
        load_json(files, "special_tokens_map.json", limit=MAX_JSON_BYTES),
        (lines or b"").decode("utf-8", "replace").splitlines(),
    )


def _signatures(version: Version) -> tuple[tuple[str, str, str], ...]:
    try:
        found = load_signatures(str(version.model), version.number)
    except SigningUnavailable:
        return (("unknown", "signatures cannot be checked here", ""),)
    return tuple((s.key or "not trusted", s.fingerprint, s.problem or s.status) for s in found)


def _parent_number(version: Version) -> int | None:
    """The nearest version that this one's commit grew from."""
    if version.commit is None:
        return None
    rows = Commit.objects.filter(model=version.model_id, id__lt=version.commit_id)
    parents = dict(rows.order_by("-id").values_list("oid", "parent_oid")[:MAX_ANCESTORS])
    sealed = dict(
        Version.objects.filter(model=version.model_id, number__lt=version.number)
        .exclude(commit=None)
        .order_by("number")
        .values_list("commit__oid", "number")
    )
    oid: str | None = version.commit.parent_oid
    while oid:
        if oid in sealed:
            return sealed[oid]
        oid = parents.pop(oid, None)
    return None


def _texts(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list) else [value]
    return tuple(each for each in values if isinstance(each, str))
