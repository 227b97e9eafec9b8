"""`manage.py drift ns/name`: compare any window of traffic with what it was."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.api.drift_params import parse_drift
from monitoring.api.serializers.drift import DriftSerializer
from monitoring.drift import catalogue
from monitoring.drift.base import Finding
from monitoring.evaluating.answers import plain
from monitoring.evaluating.exploring import DriftReport, compare

TIME = "%Y-%m-%d %H:%M"
_NAMES = ("from", "to", "against_from", "against_to", "version", "last", "alpha")


class Command(BaseCommand):
    help = "Compares a window of a model's traffic with its reference or with another window."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument("--from", help="ISO 8601 time; 24 hours before the end by default")
        parser.add_argument("--to", help="ISO 8601 time; now by default")
        parser.add_argument("--last", help="the newest so many predictions instead")
        parser.add_argument(
            "--against-from", help="compare with the window that begins then, not the reference"
        )
        parser.add_argument("--against-to", help="where that window ends")
        parser.add_argument("--version-number", "-n", dest="version", help="the live one if left")
        parser.add_argument(
            "--detector",
            action="append",
            choices=catalogue.NAMES,
            metavar="NAME",
            help="ask this detector, several times for several; the default ones if left",
        )
        parser.add_argument(
            "--explain", action="store_true", help="name the texts and words that differ most"
        )
        parser.add_argument("--alpha", help="false-alarm probability; 0.01 by default")
        parser.add_argument("--json", action="store_true", help="print what the API answers")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: str(options[name]) for name in _NAMES if options[name] is not None}
        asked["detectors"] = ",".join(options["detector"] or ())
        asked["explain"] = "yes" if options["explain"] else "no"
        try:
            report = compare(parse_drift(options["model"], asked, now=timezone.now()))
        except BellwetherError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(DriftSerializer(report).data, indent=2, default=str))
        else:
            self._print(report, explains=options["explain"])

    def _print(self, report: DriftReport, *, explains: bool) -> None:
        against = "no reference"
        if report.reference is not None:
            against = f"reference {report.reference}"
        elif report.against_start and report.against_end:
            against = f"{report.against_start:{TIME}} to {report.against_end:{TIME}} UTC"
        self.stdout.write(
            f"{report.model} version {report.version}  {_span(report)}: {report.n_window} "
            f"predictions\nagainst {against}: {report.n_reference} items\n"
            f"{report.judgement.verdict} at alpha {report.judgement.alpha:g}: {report.summary}"
        )
        width = max((len(finding.detector) for finding in report.findings), default=0)
        for finding in report.findings:
            self.stdout.write(f"  {finding.detector:<{width}}  {_shown(finding)}")
            if explains and finding.details:
                self.stdout.write(f"    {json.dumps(plain(finding.details), ensure_ascii=False)}")


def _span(report: DriftReport) -> str:
    if report.start is None or report.end is None:
        return "no traffic"
    return f"{report.start:{TIME}} to {report.end:{TIME}} UTC"


def _shown(finding: Finding) -> str:
    if not finding.is_sufficient:
        return "INSUFFICIENT_DATA"
    p_value = "      -" if finding.p_value is None else f"{finding.p_value:7.2g}"
    effect = "   -" if finding.effect is None else f"{finding.effect:.2f}"
    statistic = "-" if finding.statistic is None else f"{finding.statistic:.4g}"
    return f"p {p_value}  effect {effect}  statistic {statistic}"
