"""`manage.py alerts`: what fires, acknowledging it, and silences."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.alerting.services import acknowledge
from monitoring.alerting.silences import silence, unsilence
from monitoring.models import Alert, AlertState, Silence
from registry.management.base import get_actor

TIME = "%Y-%m-%d %H:%M"
MOST_SHOWN = 50
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = "Lists alerts, those that fire first; acknowledges and silences them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--firing", action="store_true", help="only those that fire")
        parser.add_argument("--model", default="", help="only this namespace/name")
        parser.add_argument("--acknowledge", metavar="ID", help="say that you take care of it")
        parser.add_argument("--silence", metavar="TIME", help="tell nobody for 30m, 8h or 2d")
        parser.add_argument(
            "--version-number", "-n", dest="version", type=int, help="silence only this version"
        )
        parser.add_argument("--kind", default="", help="silence only this kind, such as drift")
        parser.add_argument("--unsilence", metavar="ID", type=int, help="end this silence")
        parser.add_argument("--note", default="", help="kept with what you do")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._act(options)
        except BellwetherError as error:
            raise CommandError(error.message) from error

    def _act(self, options: dict[str, Any]) -> None:
        now, actor, note = timezone.now(), get_actor(), options["note"]
        if options["acknowledge"]:
            row = acknowledge(_id(options["acknowledge"]), actor=actor, now=now, note=note)
            self.stdout.write(f"acknowledged: {row}")
        elif options["silence"]:
            made = silence(
                until=now + _duration(options["silence"]),
                actor=actor,
                now=now,
                note=note,
                **{name: options[name] for name in ("model", "version", "kind")},
            )
            self.stdout.write(f"silence {made.pk}: {made}")
        elif options["unsilence"]:
            unsilence(options["unsilence"], now=now)
            self.stdout.write("the silence is over")
        else:
            self._list(options, now)

    def _list(self, options: dict[str, Any], now: datetime) -> None:
        rows = Alert.objects.exclude(state=AlertState.INACTIVE)
        if options["model"]:
            rows = rows.filter(model=options["model"])
        shown = list(rows.filter(state=AlertState.FIRING).order_by("-fired_at")[:MOST_SHOWN])
        if not options["firing"]:
            others = rows.exclude(state=AlertState.FIRING)
            shown += others.order_by("-opened_at")[:MOST_SHOWN]
        if not shown:
            self.stdout.write("nothing fires" if options["firing"] else "no alerts")
        for row in shown:
            since = row.fired_at or row.opened_at
            known = f"  acknowledged by {row.acknowledged_by}" if row.acknowledged_at else ""
            self.stdout.write(
                f"{row.state:<8} {row.severity:<8} {since:{TIME}}  {row.model} v{row.version} "
                f"{row.kind}{known}\n         {row.summary}\n         {row.pk}"
            )
        for each in Silence.objects.filter(until_at__gt=now).order_by("until_at")[:MOST_SHOWN]:
            self.stdout.write(f"silence {each.pk}: {each}")


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no id of an alert; list them to see theirs") from error


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,5})([mhd])", text, re.ASCII)
    if match is None:
        raise CommandError(f"{text!r} is no time such as 30m, 8h or 2d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
