"""`manage.py feedback`: one label, or a file of them."""

import csv
import itertools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.errors import MonitoringError
from monitoring.services import give_feedback
from monitoring.specs import MAX_ITEMS, FeedbackItem, parse_item

KEY_ID = "command"
_FIELDS = ("prediction_id", "correct_label", "source")
_SHOWN_ERRORS = 20

# A line's number in its file, and what stands there.
Line = tuple[int, object]


class Command(BaseCommand):
    help = (
        "Says what is true of predictions: feedback ID LABEL, or feedback FILE.jsonl or FILE.csv."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "target",
            help="a prediction's id, or a .jsonl or .csv file with fields as in the API",
        )
        parser.add_argument("label", nargs="?", help="the true label, after an id")
        parser.add_argument("--source", help="audit, delayed or user, where the file says nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        source = {"source": options["source"]} if options["source"] else {}
        try:
            if options["label"] is not None:
                pair = {"prediction_id": options["target"], "correct_label": options["label"]}
                self._give_one(parse_item(pair | source))
            else:
                self._give_file(Path(options["target"]), source)
        except BellwetherError as error:
            raise CommandError(error.message) from error
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise CommandError(f"{options['target']} cannot be read: {error}") from error

    def _give_one(self, item: FeedbackItem) -> None:
        [outcome] = give_feedback([item], key_id=KEY_ID, now=timezone.now())
        if isinstance(outcome, MonitoringError):
            raise outcome
        self.stdout.write(f"{outcome.status}: {outcome.prediction_id} is {outcome.correct_label}")

    def _give_file(self, path: Path, source: dict[str, str]) -> None:
        totals: Counter[str] = Counter()
        lines = _read(path)
        while part := list(itertools.islice(lines, MAX_ITEMS)):
            for number, result in _give(part, source):
                totals[result if isinstance(result, str) else "failed"] += 1
                if isinstance(result, MonitoringError) and totals["failed"] <= _SHOWN_ERRORS:
                    self.stderr.write(f"line {number}: {result.message}")
            self.stdout.write(f"{part[-1][0]} lines: {_summary(totals)}")
        if totals["failed"]:
            raise CommandError(f"{totals['failed']} lines were not taken; the others were.")


def _give(part: list[Line], source: dict[str, str]) -> Iterator[tuple[int, str | MonitoringError]]:
    sound: list[tuple[int, FeedbackItem]] = []
    for number, raw in part:
        try:
            sound.append((number, parse_item(source | raw if isinstance(raw, dict) else raw)))
        except MonitoringError as error:
            yield number, error
    items = [item for _, item in sound]
    # An import does not wait for predictions that are still on their way.
    outcomes = give_feedback(items, key_id=KEY_ID, now=timezone.now(), wait_s=0)
    for (number, _), outcome in zip(sound, outcomes, strict=True):
        yield number, outcome if isinstance(outcome, MonitoringError) else outcome.status


def _read(path: Path) -> Iterator[Line]:
    if path.suffix not in (".jsonl", ".csv"):
        raise CommandError(
            f"{path} is neither a .jsonl nor a .csv file; to label one prediction give its id and "
            "its label."
        )
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix == ".jsonl":
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, _parsed(line)
        else:
            for number, row in enumerate(csv.DictReader(file), start=2):
                yield number, {name: row[name] for name in _FIELDS if row.get(name)}


def _parsed(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _summary(totals: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in sorted(totals.items())) or "nothing"
