"""`manage.py shadow ns/name`: what shadows have shown beside the versions that answered."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.api.params import parse_version
from monitoring.api.serializers.shadow import ShadowSerializer
from monitoring.shadows import Comparison, Difference, load_shadow
from monitoring.windows import parse_window

TIME = "%Y-%m-%d %H:%M"
SHOWN_FLIPS = 10


class Command(BaseCommand):
    help = "Shows how a model's shadow versions compare with the versions that answered."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument("--from", help="ISO 8601 time; 24 hours before the end by default")
        parser.add_argument("--to", help="ISO 8601 time; now by default")
        parser.add_argument("--version-number", "-n", dest="version", help="only this shadow")
        parser.add_argument("--json", action="store_true", help="print what the API answers")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            window = parse_window(options["from"], options["to"], now=timezone.now())
            version = parse_version(options["version"])
            report = load_shadow(options["model"], window, version=version)
        except BellwetherError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(ShadowSerializer(report).data, indent=2))
            return
        hours = report.window
        self.stdout.write(f"{report.model}  {hours.start:{TIME}} to {hours.end:{TIME}} UTC")
        if not report.comparisons:
            self.stdout.write("no shadow was compared: `manage.py route` sets one up")
        for comparison in report.comparisons:
            self._print(comparison)

    def _print(self, row: Comparison) -> None:
        agreed = row.agreement
        shown = "-"
        if agreed.value is not None:
            shown = f"{agreed.value:.2%} [{agreed.low:.2%}, {agreed.high:.2%}]"
        ratio = "-" if row.latency_ratio is None else f"at most {row.latency_ratio:.2f}"
        self.stdout.write(
            f"version {row.shadow_version} beside {row.primary_version}: "
            f"{row.n_compared} compared{'  ' + row.verdict if row.verdict else ''}\n"
            f"  agreement    {shown}\n"
            f"  difference   {_shown(row.difference)}\n"
            f"  latency      {ratio} times the primary's\n"
            f"  failed       {row.n_failed}, given up {row.n_off} times"
        )
        for flip in row.flips[:SHOWN_FLIPS]:
            self.stdout.write(f"  {flip.predicted} → {flip.shadowed}  {flip.n}")


def _shown(difference: Difference) -> str:
    if difference.mean is None:
        return "-"
    return (
        f"mean {difference.mean:.4f}, p50 ≤ {difference.p50}, "
        f"p90 ≤ {difference.p90}, p99 ≤ {difference.p99}"
    )
