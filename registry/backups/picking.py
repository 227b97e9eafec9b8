"""Which rows of a snapshot to restore into a registry that is not empty (pure)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.backups.snapshots import damaged
from registry.errors import InvalidManifest, ModelNotFound, VersionConflict, VersionNotFound
from registry.manifests import Manifest, parse_manifest

HAS_FILES = "has_files"
NO_FILES = "[]"

Row = Mapping[str, Any]
Rows = Mapping[str, list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Here:
    """What a registry has already: names of models, and (name, number, digest) of versions."""

    models: frozenset[str]
    versions: frozenset[tuple[str, int, str]]


def pick_missing(rows: Rows, here: Here) -> Rows:
    """Of `rows`, models that are not here, and of the others versions that are not."""
    names = {name.lower() for name in here.models}
    numbers = {(name.lower(), number) for name, number, _ in here.versions}
    digests = {(name.lower(), digest) for name, _, digest in here.versions}

    def is_new(model: str | None) -> bool:
        return model is not None and model.lower() not in names

    versions = [
        row
        for row in rows["versions"]
        if (row["model"].lower(), row["number"]) not in numbers
        and (row["model"].lower(), row["digest"]) not in digests
        and (has_files(row) or is_new(row["model"]))
    ]
    return _cut(rows, versions, is_new)


def pick_version(rows: Rows, name: str, number: int, here: Here) -> Rows:
    """Of `rows`, one version with what belongs to it.

    Raises ModelNotFound or VersionNotFound when the snapshot lacks it, and VersionConflict when its
    number or its files belong to another version here.
    """
    if not any(name_of(row) == name for row in rows["models"]):
        raise ModelNotFound(f"the snapshot has no model {name:.120}", details={"model": name[:120]})
    versions = [r for r in rows["versions"] if r["model"] == name and r["number"] == number]
    if not versions or not has_files(versions[0]):
        raise VersionNotFound(
            f"the snapshot has no files of {name} version {number}: try an earlier one",
            details={"model": name, "version": number},
        )
    wanted = number, versions[0]["digest"]
    for other_name, *other in here.versions:
        has_one = other[0] == wanted[0] or other[1] == wanted[1]
        if other_name == name and has_one and tuple(other) != wanted:
            raise VersionConflict(
                f"{name} has other files as version {number}, or these as version {other[0]}",
                details={"model": name, "version": number},
            )
    return _cut(rows, versions, lambda model: False)


def _cut(rows: Rows, versions: list[dict[str, Any]], is_new: Callable[[str | None], bool]) -> Rows:
    """Of `rows`, these versions with what belongs to them, and all of models that are new."""
    keys = {(row["model"], row["number"]) for row in versions}
    commits = {tuple(row["commit"]) for row in versions if row["commit"]}
    names = {row["model"] for row in versions}

    def of_new(table: str) -> Iterable[dict[str, Any]]:
        return (row for row in rows[table] if is_new(row["model"]))

    kept = {
        # Routes stay away: nothing shall answer that nobody has promoted here.
        "models": [
            row | {"routes_generation": 0, "committed_generation": 0, "committed_routes": []}
            for row in rows["models"]
            if name_of(row) in names or is_new(name_of(row))
        ],
        "versions": versions,
        "commits": [
            row
            for row in rows["commits"]
            if is_new(row["model"]) or (row["model"], row["oid"]) in commits
        ],
        "refs": list(of_new("refs")),
        "trusted_keys": list(of_new("trusted_keys")),
    }
    for table in ("golden", "signatures"):
        kept[table] = [row for row in rows[table] if tuple(row["version"]) in keys]
    return kept


def name_of(row: Row) -> str:
    """The name of a model's row."""
    return f"{row['namespace']}/{row['name']}"


def has_files(row: Row) -> bool:
    """Whether a version's files were kept when the snapshot was taken."""
    return bool(row.get(HAS_FILES, True))


def manifest_of(row: Row) -> Manifest:
    """The files of a version's or a commit's row; raises BackupDamaged."""
    try:
        text = row["manifest"]
        return Manifest(()) if text == NO_FILES else parse_manifest(text)
    except (InvalidManifest, KeyError) as error:
        raise damaged("rows", "a manifest in them cannot be read") from error
