"""`manage.py channel`: where notifications go."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.alerting.channels import create_channel, delete_channel, find_channel, try_channel
from monitoring.models import Channel, ChannelKind
from monitoring.severity import Severity
from registry.management.base import get_actor

KINDS = [kind for kind in ChannelKind.values if kind != ChannelKind.MEMORY]


class Command(BaseCommand):
    help = "Makes, lists, tests and removes the channels that notifications go over."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["add", "list", "test", "remove"], help="what to do")
        parser.add_argument("name", nargs="?", default="", help="name of the channel")
        parser.add_argument("--kind", choices=KINDS, help="how it brings notifications")
        parser.add_argument(
            "--config", help='JSON that the kind needs, such as {"to": ["a@b.c"]}; - reads stdin'
        )
        parser.add_argument("--models", default="*", help="pattern of namespace/name; * by default")
        parser.add_argument(
            "--min-severity",
            choices=[*map(str, Severity)],
            default=str(Severity.WARNING),
            help="least severe alert that it is told; warning by default",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        act, name = options["act"], options["name"]
        if act != "list" and not name:
            raise CommandError(f"name the channel: channel {act} NAME")
        try:
            getattr(self, f"_{act}")(name, options)
        except BellwetherError as error:
            raise CommandError(error.message) from error

    def _add(self, name: str, options: dict[str, Any]) -> None:
        if not options["kind"] or not options["config"]:
            raise CommandError("a channel needs --kind and --config")
        row = create_channel(
            name,
            options["kind"],
            _config(options["config"]),
            actor=get_actor(),
            now=timezone.now(),
            models_matching=options["models"],
            min_severity=options["min_severity"],
        )
        self.stdout.write(f"made {row}; try it: channel test {row.name!r}")

    def _list(self, name: str, options: dict[str, Any]) -> None:
        for row in Channel.objects.order_by("name"):
            state = "on" if row.is_enabled else f"off: {row.disabled_reason or 'by hand'}"
            self.stdout.write(
                f"{row.name}  {row.kind}  {row.models_matching}  from {row.min_severity}  {state}"
            )

    def _test(self, name: str, options: dict[str, Any]) -> None:
        try_channel(find_channel(name).pk, now=timezone.now())
        self.stdout.write("delivered")

    def _remove(self, name: str, options: dict[str, Any]) -> None:
        delete_channel(find_channel(name).pk)
        self.stdout.write("removed")


def _config(text: str) -> object:
    try:
        return json.loads(sys.stdin.read() if text == "-" else text)
    except ValueError as error:
        raise CommandError(f"--config is not JSON: {error}") from error
