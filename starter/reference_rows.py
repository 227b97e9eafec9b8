"""Describes the shipped weights' answers anew, without training.

python -m starter.reference_rows --data DIR --model starter/model

Writes the reference of a finished model folder again, and its card, whose table of file
sizes changes with it. What people read in the reference stays as it is: another processor
rounds a little differently, and where more than that has changed the exit status is 1.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from starter.card import write_card
from starter.corpus import (
    PHRASES,
    SENTENCES,
    Example,
    load_examples,
    resolve_data_folder,
    split_held_out,
)
from starter.evaluate import MODEL_FOLDER
from starter.files import write_json
from starter.reference import JSON_FILE
from starter.train import HELD_OUT, SEED, describe_held_out

# How the files are laid out, which may differ.
LAYOUT = ("schema_version", "script", "arrays")
ROUNDING = 1e-6


def load_held_out(data: Path) -> list[Example]:
    """Return the sentences that training set aside."""
    phrases, sentences = (load_examples(data / name) for name in (PHRASES, SENTENCES))
    return split_held_out(phrases, sentences, HELD_OUT, SEED).held_out


def rewrite(data: Path, folder: Path) -> list[str]:
    """Write the folder's reference and card; return the facts that have changed."""
    before = _read(folder / JSON_FILE)
    after = describe_held_out(folder, load_held_out(data))
    facts = {name: fact for name, fact in before.items() if name not in LAYOUT}
    changed = [name for name, fact in facts.items() if not agree(fact, after.get(name))]
    kept = {name: fact for name, fact in facts.items() if name not in changed}
    write_json(folder / JSON_FILE, after | kept)
    write_card(folder, _read(folder / "metrics.json"))
    return changed


def agree(before: Any, after: Any) -> bool:
    """Tell whether two JSON values differ by rounding at most."""
    if isinstance(before, dict) and isinstance(after, dict):
        same_names = before.keys() == after.keys()
        return same_names and all(agree(before[name], after[name]) for name in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(agree, before, after))
    if isinstance(before, float) and isinstance(after, float):
        return abs(before - after) <= ROUNDING
    return bool(before == after)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def main() -> None:
    """Rewrite the reference; say which facts have changed, if any."""
    parser = argparse.ArgumentParser(description="Describe the shipped weights anew.")
    parser.add_argument("--data", type=Path, help="folder that holds sst2/")
    parser.add_argument("--model", type=Path, default=MODEL_FOLDER)
    options = parser.parse_args()
    if changed := rewrite(resolve_data_folder(options.data), options.model):
        raise SystemExit(f"These facts have changed: {', '.join(changed)}")
    print("All facts are as they were.")


if __name__ == "__main__":
    main()
