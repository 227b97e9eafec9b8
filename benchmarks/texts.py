"""The texts that every side of a comparison answers: SST-2's dev sentences, shuffled by a seed."""

import os
import random
from pathlib import Path

from starter.corpus import DATA_VARIABLE, DEV, Example, load_examples


def load_sst2(seed: int) -> list[Example]:
    """Return the 872 labelled sentences in a seeded order; exit with advice without them."""
    folder = os.environ.get(DATA_VARIABLE)
    path = Path(folder or "") / DEV
    if not folder or not path.is_file():
        raise SystemExit(
            f"No texts to measure with: set {DATA_VARIABLE} to the data folder, the one that holds "
            f"{DEV} (JSON Lines with «text» and «label», gzip)."
        )
    examples = load_examples(path)
    random.Random(seed).shuffle(examples)
    return examples
