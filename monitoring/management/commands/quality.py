"""`manage.py quality ns/name`: how good a model is, by the labels that came back."""

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.api import params
from monitoring.api.serializers.quality_comparison import QualityComparisonSerializer
from monitoring.api.serializers.quality_details import show_quality
from monitoring.management.quality_lines import comparison_lines, detail_lines, report_lines
from monitoring.models import Source
from monitoring.queries import load_quality
from monitoring.reporting.comparisons import load_comparison
from monitoring.reporting.details import Detail, load_details
from monitoring.rollups import By

_QUALITY = ("from", "to", "version", "segment", "source", "by")
_COMPARISON = ("from", "to", "base_from", "base_to", "segment", "source")


class Command(BaseCommand):
    help = "Shows a model's accuracy, precision, recall and F1 with 95 % intervals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument("--from", help="ISO 8601 time; 24 hours before the end by default")
        parser.add_argument("--to", help="ISO 8601 time; now by default")
        parser.add_argument("--version-number", "-n", dest="version", help="only this version")
        parser.add_argument("--segment", help="only this segment")
        parser.add_argument("--source", choices=Source.values, help="only labels of this source")
        parser.add_argument("--by", choices=[*map(str, By)], help="judge each group as well")
        parser.add_argument(
            "--include",
            nargs="+",
            choices=[*map(str, Detail)],
            default=[],
            help="what to show beside",
        )
        parser.add_argument(
            "--compare", nargs=2, metavar=("NEW", "BASE"), help="two versions side by side"
        )
        parser.add_argument("--base-from", help="compare with the window that begins here")
        parser.add_argument("--base-to", help="compare with the window that ends here")
        parser.add_argument("--json", action="store_true", help="print what the API answers")

    def handle(self, *args: Any, **options: Any) -> None:
        is_comparison = any(options[name] for name in ("compare", "base_from", "base_to"))
        show = self._compare if is_comparison else self._judge
        try:
            show(options, timezone.now())
        except BellwetherError as error:
            raise CommandError(error.message) from error

    def _judge(self, options: dict[str, Any], now: datetime) -> None:
        scope = params.parse_scope(options["model"], _given(options, _QUALITY), now=now)
        report = load_quality(scope)
        details = load_details(scope, [Detail(name) for name in options["include"]], now=now)
        if options["json"]:
            self._write_json(show_quality(report, details))
            return
        self.stdout.write("\n".join([*report_lines(report), *detail_lines(details)]))

    def _compare(self, options: dict[str, Any], now: datetime) -> None:
        asked = _given(options, _COMPARISON)
        if options["compare"]:
            asked["version"], asked["with"] = options["compare"]
        elif options["version"]:
            asked["version"] = options["version"]
        new, base = params.parse_comparison(options["model"], asked, now=now)
        comparison = load_comparison(new, base)
        if options["json"]:
            self._write_json(QualityComparisonSerializer(comparison).data)
            return
        self.stdout.write("\n".join(comparison_lines(comparison)))

    def _write_json(self, body: Any) -> None:
        self.stdout.write(json.dumps(body, indent=2))


def _given(options: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: options[name] for name in names if options[name] is not None}
