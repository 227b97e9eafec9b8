"""`manage.py evaluate`: ask monitors now, and show what they say."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.api.serializers.monitors import EvaluationSerializer
from monitoring.evaluating.defaults import ensure_defaults
from monitoring.evaluating.due import rank
from monitoring.evaluating.evaluator import evaluate
from monitoring.evaluating.queries import evaluation_rows, monitor_rows
from monitoring.models import Evaluation, Monitor
from registry import queries as registry


class Command(BaseCommand):
    help = (
        "Evaluates a model's monitors now, shows their verdicts and tells the alerts; "
        "without a model, those of all models with --all."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", nargs="?", help="namespace/name")
        parser.add_argument("--monitor", help="only the monitor of this name")
        parser.add_argument("--all", action="store_true", help="the monitors of every model")
        parser.add_argument("--json", action="store_true", help="print what the API answers")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["model"]) == options["all"]:
            raise CommandError("Name a model, or give --all.")
        try:
            rows = [row for pk in self._chosen(options) if (row := evaluate(pk, timezone.now()))]
        except BellwetherError as error:
            raise CommandError(error.message) from error
        shown = evaluation_rows().filter(pk__in=[row.pk for row in rows]).order_by("model", "id")
        if options["json"]:
            self.stdout.write(json.dumps(EvaluationSerializer(shown, many=True).data, indent=2))
        else:
            self._print(list(shown))

    def _chosen(self, options: dict[str, Any]) -> list[int]:
        if options["model"]:
            registry.load_model(options["model"])
        ensure_defaults(timezone.now())
        rows = monitor_rows(options["model"])
        if options["monitor"]:
            rows = rows.filter(name=options["monitor"])
        else:
            rows = rows.filter(is_enabled=True)
        found = list(rows.order_by("model", "name").values_list("pk", "kind"))
        if not found:
            raise CommandError(_nothing(options["model"], options["monitor"]))
        return [pk for pk, kind in sorted(found, key=lambda row: rank(row[1]))]

    def _print(self, rows: list[Evaluation]) -> None:
        names = {row.pk: row.monitor.name if row.monitor else "-" for row in rows}
        width = max((len(name) for name in names.values()), default=0)
        model = None
        for row in rows:
            if row.model != model:
                model = row.model
                self.stdout.write(f"{model} version {row.version}")
            severity = f" ({row.severity})" if row.severity else ""
            self.stdout.write(
                f"  {names[row.pk]:<{width}}  {row.verdict:<17}{severity} {row.summary}"
            )


def _nothing(model: str | None, name: str | None) -> str:
    whose = model or "any model"
    if name is None:
        return f"There are no monitors of {whose}: they come with its first live version."
    known = Monitor.objects.filter(deleted_at=None)
    if model:
        known = known.filter(model=model)
    names = sorted(set(known.values_list("name", flat=True)))
    return f"There is no monitor {name!r} of {whose}; there are: {', '.join(names) or 'none'}."
