"""`manage.py rollout ns/name [N]`: start a rollout, look at the newest one, steer it."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from access.errors import BellwetherError
from monitoring.models import Rollout
from monitoring.rollouts import services
from monitoring.rollouts.moves import summary
from monitoring.rollouts.options import DEFAULT_STEPS
from monitoring.rollouts.queries import rollouts_of
from registry.management.base import get_actor

ACTS = ("pause", "resume", "abort", "cancel", "promote")


class Command(BaseCommand):
    help = "Gives a version traffic step by step, and takes it back where it is worse."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("model", help="namespace/name")
        parser.add_argument("candidate", type=int, nargs="?", help="version to start with")
        parser.add_argument(
            "--steps",
            default=",".join(map(str, DEFAULT_STEPS)),
            help="weights in percent, rising to 100",
        )
        parser.add_argument("--min-step", type=int, metavar="S", help="shortest step in seconds")
        parser.add_argument("--min-requests", type=int, metavar="N", help="fewest of a step")
        parser.add_argument("--bake", type=int, metavar="S", help="seconds of watching at 100 %%")
        parser.add_argument(
            "--roll-back", action="store_true", help="on a critical alert while baking"
        )
        acts = parser.add_mutually_exclusive_group()
        for act in ACTS:
            acts.add_argument(f"--{act}", dest="act", action="store_const", const=act)
        parser.add_argument("--reason", default="By hand.", help="kept with a pause or an abort")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        try:
            if options["candidate"] is not None:
                self._print(_start(options, now))
            elif options["act"]:
                self._print(_act(_newest(options["model"]), options, now))
            else:
                self._print(_newest(options["model"]))
        except BellwetherError as error:
            raise CommandError(error.message) from error

    def _print(self, rollout: Rollout) -> None:
        self.stdout.write(
            f"{rollout.model} v{rollout.candidate} against v{rollout.stable}: {rollout.state}, "
            f"{rollout.steps[rollout.step]} % (steps {', '.join(map(str, rollout.steps))})\n"
            f"{rollout.reason}"
        )
        for name, shown in summary(rollout).items():
            self.stdout.write(
                f"  {name:<24} candidate {_rate(shown['candidate'])} of {shown['n_candidate']}, "
                f"stable {_rate(shown['stable'])} of {shown['n_stable']}, "
                f"worse e={shown['e_worse']:.3g}, fine e={shown['e_fine']:.3g}"
            )


def _start(options: dict[str, Any], now: datetime) -> Rollout:
    given = {
        "min_step_s": options["min_step"],
        "min_requests": options["min_requests"],
        "bake_s": options["bake"],
        "rolls_back": options["roll_back"] or None,
    }
    try:
        steps = [int(part) for part in options["steps"].split(",")]
    except ValueError:
        raise CommandError("--steps: write whole percents, such as 5,25,50,100") from None
    return services.start(
        options["model"],
        options["candidate"],
        steps=steps,
        options={name: value for name, value in given.items() if value is not None},
        actor=get_actor(),
        now=now,
    )


def _newest(model: str) -> Rollout:
    rollout = rollouts_of(model).first()
    if rollout is None:
        raise CommandError(f"{model} has no rollout: name a version to start one with")
    return rollout


def _act(rollout: Rollout, options: dict[str, Any], now: datetime) -> Rollout:
    reasons = {"reason": options["reason"]} if options["act"] in ("pause", "abort") else {}
    act = getattr(services, options["act"])
    changed: Rollout = act(rollout.id, actor=get_actor(), now=now, **reasons)
    return changed


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.2%}"
