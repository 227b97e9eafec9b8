"""`manage.py diff ns/name A B`: how two versions differ."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from registry.contents import load_diff
from registry.diffs import Change, Changes, VersionDiff
from registry.management.base import RegistryCommand


class Command(RegistryCommand):
    help = "Say how two versions of a model differ: configuration, labels, tokenizer, files, …"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("before", type=int, help="Number of the version to start from.")
        parser.add_argument("after", type=int, help="Number of the version to compare with it.")

    def handle(self, *args: Any, **options: Any) -> None:
        diff = load_diff(options["name"], options["before"], options["after"])
        self.stdout.write("\n".join(_lines(diff)))


def _lines(diff: VersionDiff) -> Iterator[str]:
    yield "weights: the same bytes" if diff.has_same_weights else "weights: other bytes"
    for name, changes in diff.parts().items():
        if changes.is_empty:
            yield f"{name}: the same"
        else:
            yield f"{name}: {_counts(changes)}"
            yield from (f"  {_change(change)}" for change in changes.listed)
    if diff.golden:
        yield f"golden inputs: {diff.n_flips} of {len(diff.golden)} labels differ"
        for pair in diff.golden:
            mark = "!" if pair.is_flip else " "
            yield f" {mark}{pair.input}: {pair.before or 'none'} → {pair.after or 'none'}"


def _counts(changes: Changes) -> str:
    counts = {"changed": changes.n_changed, "added": changes.n_added, "removed": changes.n_removed}
    return ", ".join(f"{n} {word}" for word, n in counts.items() if n)


def _change(change: Change) -> str:
    if change.before is None:
        return f"+ {change.name}: {change.after}"
    if change.after is None:
        return f"- {change.name}: {change.before}"
    return f"  {change.name}: {change.before} → {change.after}"
