"""`manage.py route ns/name --stable 2 --canary 3=5 --shadow 4=10`: which versions get traffic."""

import re
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError

from registry import services
from registry.management.base import RegistryCommand, get_actor
from registry.management.commands.routes import describe
from registry.routes import WHOLE, WantedRoute, live_of
from registry.specs import RouteMode, Stickiness


def version_share(text: str) -> tuple[int, int]:
    """`3=5` as (version 3, 5 percent)."""
    match = re.fullmatch(r"(\d{1,9})=(\d{1,3})%?", text, re.ASCII)
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not VERSION=PERCENT, such as 3=5")
    return int(match[1]), int(match[2])


class Command(RegistryCommand):
    help = (
        "Set all routes of a model: the stable version, canaries, shadows. What is not named "
        "is no longer routed; the stable version gets what the canaries leave."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="namespace/name of the model.")
        parser.add_argument("--stable", type=int, help="Its number; the present one by default.")
        parser.add_argument(
            "--canary",
            type=version_share,
            action="append",
            default=[],
            metavar="VERSION=PERCENT",
            help="A version that answers this part of the traffic; may be repeated.",
        )
        parser.add_argument(
            "--shadow",
            type=version_share,
            action="append",
            default=[],
            metavar="VERSION=PERCENT",
            help="A version that gets copies of this part of the traffic; may be repeated.",
        )
        parser.add_argument(
            "--stickiness",
            choices=[each.value for each in Stickiness],
            help="Whether a caller stays on one version, or each request is drawn anew.",
        )
        parser.add_argument(
            "--reshuffle",
            action="store_true",
            help="Draw anew which callers get which version, and change nothing else.",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="Also versions of another task or other labels; needs --reason.",
        )
        parser.add_argument("--reason", default="", help="A sentence kept with the event.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, reason = options["name"], options["reason"]
        if options["reshuffle"]:
            services.reshuffle(name, actor=get_actor(), reason=reason)
            self.stdout.write(f"{name}: callers are drawn anew")
            return
        stickiness = options["stickiness"]
        services.set_routes(
            name,
            _wanted(name, options),
            actor=get_actor(),
            reason=reason,
            stickiness=Stickiness(stickiness) if stickiness else None,
            force=options["force"],
        )
        self.stdout.write("\n".join(describe(name)))


def _wanted(name: str, options: dict[str, Any]) -> list[WantedRoute]:
    current = services.load_routes(name)
    canaries, shadows, stable = options["canary"], options["shadow"], options["stable"]
    if stable is None and not canaries and not shadows:
        if options["stickiness"] is None:
            raise CommandError("Say what to route: --stable, --canary, --shadow or --stickiness.")
        return list(current)
    if stable is None:
        live = live_of(current)
        if not live:
            raise CommandError(f"{name} has no stable version yet: name one with --stable.")
        stable = live[0].version
    rest = WHOLE - sum(percent for _, percent in canaries)
    return [
        WantedRoute(stable, RouteMode.LIVE, rest),
        *(WantedRoute(number, RouteMode.LIVE, percent) for number, percent in canaries),
        *(WantedRoute(number, RouteMode.SHADOW, percent) for number, percent in shadows),
    ]
