"""Fills the model card, so that its numbers are those of the files beside it."""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).with_name("card.md")
CARD_FILE = "README.md"


def write_card(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write the card of a finished model folder."""
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    values = {**_numbers(metrics), "files": list_files(folder)}
    # substitute, not safe_substitute: a number the card names and lacks is an error.
    (folder / CARD_FILE).write_text(template.substitute(values), encoding="utf-8")


def list_files(folder: Path) -> str:
    """Return a table of the folder's files and sizes, the card itself left out."""
    paths = sorted(p for p in folder.iterdir() if p.is_file() and p.name != CARD_FILE)
    rows = [f"| `{path.name}` | {path.stat().st_size:,} |" for path in paths]
    return "\n".join(["| file | bytes |", "| --- | ---: |", *rows])


def _numbers(metrics: Mapping[str, Any]) -> dict[str, str]:
    dev, training = metrics["dev"], metrics["training"]
    tables = {**dev["forms"], "before": dev["before_temperature"]}
    values = {
        f"{table}_{name}": f"{value:.4f}"
        for table, row in tables.items()
        for name, value in row.items()
    }
    return values | {
        "dev_n": str(dev["n"]),
        "pieces": f"{training['pieces']:,}",
        "phrases": f"{training['phrases']:,}",
        "phrases_dropped": f"{training['phrases_dropped']:,}",
        "held_out_n": f"{metrics['held_out']['n']:,}",
        "held_out_accuracy": f"{metrics['held_out']['accuracy']:.4f}",
        "held_out_f1": f"{metrics['held_out']['macro_f1']:.4f}",
        "teacher_accuracy": f"{metrics['teacher_dev_accuracy']:.4f}",
        "temperature": f"{metrics['temperature']:.4f}",
        "minutes": f"{sum(metrics['seconds'].values()) / 60:.0f}",
    }
