"""`manage.py quality ns/name`: how good a model is, by the labels that came back."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.api.params import parse_scope
from monitoring.api.serializers.quality import QualitySerializer
from monitoring.models import Source
from monitoring.quality.report import Estimate, Quality
from monitoring.queries import QualityReport, load_quality
from monitoring.rollups import By

TIME = "%Y-%m-%d %H:%M"


class Command(BaseCommand):
    help = "Shows a model's accuracy, precision, recall and F1 with 95 % intervals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument("--from", help="ISO 8601 time; 24 hours before the end by default")
        parser.add_argument("--to", help="ISO 8601 time; now by default")
        parser.add_argument("--version-number", "-n", dest="version", help="only this version")
        parser.add_argument("--segment", help="only this segment")
        parser.add_argument("--source", choices=Source.values, help="only labels of this source")
        parser.add_argument("--by", choices=list(By), help="judge each group as well")
        parser.add_argument("--json", action="store_true", help="print what the API answers")

    def handle(self, *args: Any, **options: Any) -> None:
        names = ("from", "to", "version", "segment", "source", "by")
        asked = {name: options[name] for name in names if options[name] is not None}
        try:
            report = load_quality(parse_scope(options["model"], asked, now=timezone.now()))
        except BellwetherError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(QualitySerializer(report).data, indent=2))
        else:
            self._print(report)

    def _print(self, report: QualityReport) -> None:
        window, quality = report.scope.window, report.quality
        coverage = "-" if report.coverage is None else f"{report.coverage:.1%}"
        self.stdout.write(
            f"{report.scope.model}  {window.start:{TIME}} to {window.end:{TIME}} UTC\n"
            f"{report.n_predicted} predicted, {quality.n_labelled} labelled ({coverage})"
            f"{'  ' + quality.verdict if quality.verdict else ''}\n"
            f"accuracy     {_shown(quality.accuracy)}\n"
            f"macro F1     {_shown(quality.macro.f1)}\n"
            f"weighted F1  {_shown(quality.weighted.f1)}"
        )
        self._print_classes(quality)
        for part in report.groups:
            self.stdout.write(
                f"{report.scope.by} {part.group}: {part.n_predicted} predicted, "
                f"{part.quality.n_labelled} labelled, macro F1 {_shown(part.quality.macro.f1)}"
            )

    def _print_classes(self, quality: Quality) -> None:
        width = max((len(row.label) for row in quality.classes), default=0)
        for row in quality.classes:
            self.stdout.write(
                f"  {row.label:<{width}}  F1 {_shown(row.f1)}  precision {_shown(row.precision)}  "
                f"recall {_shown(row.recall)}  support {row.support}"
            )


def _shown(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
