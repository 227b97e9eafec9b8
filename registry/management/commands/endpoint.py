"""`manage.py endpoint`: inference endpoints, and versions that stand for one."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from registry import services
from registry.management.base import RegistryCommand, get_actor
from registry.remote.endpoints import EndpointPlan, EndpointSpec
from registry.services import operations
from registry.services.endpoints import DEFAULT_LIMIT_S, describe_act, get_endpoint
from registry.services.remote import register_endpoint, register_url
from registry.specs import OperationKind


class Command(RegistryCommand):
    help = "Manage Hugging Face Inference Endpoints, and register one as a version."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(
            dest="act", required=True, help="What to do; `endpoint ACT --help` tells its arguments."
        )
        _add_create(acts.add_parser("create", help="Make an endpoint that serves a repository."))
        for act, text in (
            ("status", "What the endpoint is and does now."),
            ("wait", "Wait until the endpoint answers."),
            ("pause", "Stop the endpoint; it costs nothing until it is resumed."),
            ("resume", "Start a paused endpoint."),
            ("delete", "Delete the endpoint for good."),
        ):
            one = acts.add_parser(act, help=text)
            _add_name(one)
            if act in ("wait", "resume"):
                _add_wait(one, default=DEFAULT_LIMIT_S if act == "wait" else 0.0)
            if act == "delete":
                one.add_argument("--yes", action="store_true", help="Do not ask.")
        _add_register(acts.add_parser("register", help="Make an endpoint a model's next version."))

    def handle(self, *args: Any, **options: Any) -> None:
        act = options["act"]
        if act == "register":
            self._register(options)
        elif act == "status":
            self._show(get_endpoint(options["endpoint"], options["namespace"]))
        else:
            self._act(act, options)

    def _act(self, act: str, options: dict[str, Any]) -> None:
        name, namespace = options["endpoint"], options["namespace"]
        if act == "delete" and not options["yes"] and not _confirms(name):
            raise CommandError(f"{name} was not deleted")
        limit_s = options.get("limit_s", 0.0)
        plan = _plan(options) if act == "create" else None
        title, parameters = describe_act(act, name, namespace, plan=plan, limit_s=limit_s)
        result = operations.work_inline(
            OperationKind.ENDPOINT,
            title,
            actor=get_actor(),
            parameters=parameters,
            progress=self._tell,
        )
        if act == "delete":
            self.stdout.write(f"deleted {name}")
            return
        self._show(EndpointSpec(**result))

    def _tell(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"waiting: {done} of {total} s", ending="\r")

    def _show(self, found: EndpointSpec) -> None:
        self.stdout.write(f"{found}: {found.state}")
        for label, value in (
            ("serves", f"{found.repository}@{found.revision or 'main'} ({found.task})"),
            ("address", found.url or "none yet"),
            ("access", found.kind),
        ):
            self.stdout.write(f"  {label}: {value}")

    def _register(self, options: dict[str, Any]) -> None:
        name, actor = options["model"], get_actor()
        given = {"actor": actor, "labels": options["labels"] or (), "note": options["note"]}
        if options["url"]:
            done = register_url(name, options["url"], **given)
        else:
            done = register_endpoint(
                name, options["endpoint"], namespace=options["namespace"], **given
            )
        version = done.version
        word = "registered" if done.is_new else "nothing new: this is"
        self.stdout.write(
            f"{word} {name} version {version.number} (remote, labels {', '.join(version.labels)})"
        )
        if options["promote"]:
            services.promote(name, version.number, actor=actor, reason=options["note"])
            self.stdout.write(f"{name} version {version.number} is live")


def _add_name(parser: ArgumentParser) -> None:
    parser.add_argument("endpoint", help="Name of the endpoint.")
    parser.add_argument("--namespace", help="Account or organisation; the token's own if left out.")


def _add_wait(parser: ArgumentParser, *, default: float) -> None:
    parser.add_argument(
        "--wait",
        dest="limit_s",
        type=float,
        default=default,
        metavar="SECONDS",
        help="How long to wait until it answers; 0 does not wait.",
    )


def _add_create(parser: ArgumentParser) -> None:
    _add_name(parser)
    _add_wait(parser, default=0.0)
    parser.add_argument("--repository", required=True, help="Repository on the Hub to serve.")
    parser.add_argument("--revision", help="Commit of the repository; its newest if left out.")
    defaults = EndpointPlan(repository="")
    for field in (
        "framework",
        "vendor",
        "region",
        "accelerator",
        "instance_type",
        "instance_size",
        "type",
    ):
        parser.add_argument(
            f"--{field.replace('_', '-')}",
            default=getattr(defaults, field),
            help="As the service calls it (default: %(default)s).",
        )
    parser.add_argument("--min-replica", type=int, default=defaults.min_replica)
    parser.add_argument("--max-replica", type=int, default=defaults.max_replica)
    parser.add_argument(
        "--scale-to-zero-min",
        type=int,
        default=defaults.scale_to_zero_min,
        help="Idle minutes after which it is scaled to zero (default: %(default)s).",
    )


def _add_register(parser: ArgumentParser) -> None:
    parser.add_argument("model", help="namespace/name of the model; made when it is new.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--endpoint", help="Name of an inference endpoint.")
    where.add_argument("--url", help="Address of an endpoint that speaks the same wire.")
    parser.add_argument("--namespace", help="Account or organisation of --endpoint.")
    parser.add_argument("--labels", nargs="+", help="Its labels; asked of it if left out.")
    parser.add_argument("--note", default="", help="A sentence kept with the version.")
    parser.add_argument("--promote", action="store_true", help="Let it answer at once.")


def _plan(options: dict[str, Any]) -> EndpointPlan:
    fields = EndpointPlan.__dataclass_fields__.keys() - {"task"}
    return EndpointPlan(**{field: options[field] for field in fields})


def _confirms(name: str) -> bool:
    """Whether whoever sits at the terminal types the endpoint's name."""
    if not sys.stdin.isatty():
        raise CommandError("say --yes to delete without being asked")
    return input(f"Type {name} to delete it for good: ").strip() == name
