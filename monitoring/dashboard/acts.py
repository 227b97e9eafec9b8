"""What may be done with a version and with a model's routes: what it would change, and doing it.

Each act is asked for on a page of its own, which shows the routes before and after; it is done only
if the routes are still those that were shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from access.scopes import Scope
from monitoring.dashboard.versions import VersionRow
from registry import listing, services
from registry.errors import InvalidField
from registry.routes import Routes, live_of, with_canary, with_shadow, without
from registry.services import requests
from registry.specs import Stickiness, VersionSpec, VersionState
from registry.timeline import EventSpec

CANARY_PERCENT, SHADOW_PERCENT = 5, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act on a version. `lines` say what will happen; `{n}` is the version.

    `share` is the percent to suggest, where the act needs one.
    """

    name: str
    label: str
    title: str
    lines: tuple[str, ...]
    scope: Scope = Scope.PROMOTE
    share: int | None = None
    needs_reason: bool = False
    is_dangerous: bool = False
    changes_routes: bool = False


_LOADED_FIRST = (
    "Every serving process loads it first and checks its golden inputs. Until all are that far, "
    "what answers now goes on answering; a version that cannot load never gets a request."
)

ACTS = {
    act.name: act
    for act in (
        Act(
            name="promote",
            label="Promote",
            title="Promote version {n}",
            lines=("Version {n} answers all requests. Canaries end with it.", _LOADED_FIRST),
            changes_routes=True,
        ),
        Act(
            name="canary",
            label="Canary",
            title="Let version {n} answer a part",
            lines=(
                "Version {n} answers this part of the requests; the stable version keeps the rest.",
                _LOADED_FIRST,
            ),
            share=CANARY_PERCENT,
            changes_routes=True,
        ),
        Act(
            name="shadow",
            label="Shadow",
            title="Send version {n} copies",
            lines=(
                "Version {n} gets copies of this part of the requests. Callers never see its "
                "answers, which are kept to be compared.",
            ),
            share=SHADOW_PERCENT,
            changes_routes=True,
        ),
        Act(
            name="stop",
            label="Stop its route",
            title="Take version {n}'s route away",
            lines=("Version {n} gets no requests any more; a canary's part goes back.",),
            changes_routes=True,
        ),
        Act(
            name="verify",
            label="Verify",
            title="Verify version {n}",
            lines=(
                "Every stored byte of version {n} is read again and compared with its digest, in "
                "the background. If it is not sound it becomes damaged, and is not routed again "
                "before it is mended. What is in memory goes on answering.",
            ),
        ),
        Act(
            name="retire",
            label="Retire",
            title="Retire version {n}",
            lines=(
                "Version {n} can never be routed again. Its files may be swept once nothing else "
                "needs them; only a backup brings them back.",
            ),
            is_dangerous=True,
        ),
        Act(
            name="reinstate",
            label="Reinstate",
            title="Reinstate version {n}",
            lines=("Version {n} was rejected; it may be routed again after this.",),
            needs_reason=True,
        ),
        Act(
            name="restore",
            label="Restore",
            title="Restore version {n} from a backup",
            lines=(
                "The files of version {n} are fetched from the backup, checked, and put in place, "
                "in the background. It is not routed by that.",
            ),
            scope=Scope.ADMIN,
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody has confirmed. `seen` is the generation of the routes that they were shown."""

    model: str
    number: int
    actor: str
    reason: str
    seen: int
    percent: int = 0
    target: str = ""
    snapshot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How it ended: a sentence, the event that the audit log keeps, work that goes on."""

    message: str
    event: EventSpec | None = None
    operation: UUID | None = None


def offered(row: VersionRow) -> tuple[Act, ...]:
    """The acts that make sense for a version as it is; who may do them is asked elsewhere."""
    facts, route = row.facts, row.wanted
    can_serve, is_stable = facts.is_routable, route is not None and route.role == "stable"
    is_alone = is_stable and route is not None and route.weight == 100
    made = {
        "promote": can_serve and not is_alone,
        "canary": can_serve and not is_stable,
        "shadow": can_serve and not is_stable,
        "stop": route is not None and not is_stable,
        "verify": True,
        "retire": route is None and facts.state is not VersionState.RETIRED,
        "reinstate": bool(facts.rejection),
        "restore": True,
    }
    return tuple(ACTS[name] for name, makes_sense in made.items() if makes_sense)


def plan(act: str, model: str, number: int, percent: int = 0) -> Routes:
    """The routes after `act`; raises what the act would: VersionNotRoutable, InvalidRoutes …"""
    if act == "promote":
        return services.plan_promotion(model, number)
    return _PLANS[act](services.load_routes(model), number, percent)


def warn(version: VersionSpec, stable: VersionSpec | None) -> tuple[str, ...]:
    """What somebody should know before `version` answers instead of `stable` or beside it."""
    if stable is None or stable.number == version.number:
        return ()
    told = []
    if stable.task != version.task:
        told.append(f"Its task is {version.task}, not {stable.task}: callers get other answers.")
    if set(stable.labels) != set(version.labels):
        told.append(f"Its labels are not version {stable.number}'s: callers see other words.")
    return tuple(told)


def perform(act: str, asked: Asked) -> Done:
    """Do it; raises what the registry's services raise, and RoutesChanged."""
    if act == "verify":
        done = requests.request_verification(asked.model, asked.number, actor=asked.actor)
        return Done(message=f"Version {asked.number} is being verified.", operation=done)
    if act == "restore":
        return _restore(asked)
    return _noted(asked.model, lambda: _CHANGES[act](asked))


def roll_back(asked: Asked) -> Done:
    """Let the version answer again that did before; raises NothingToRollBack, RoutesChanged."""

    def change() -> str:
        services.hold_routes(asked.model, asked.seen)
        version = services.rollback(asked.model, actor=asked.actor, reason=asked.reason)
        return f"Rolled back to version {version.number}."

    return _noted(asked.model, change)


def set_routes(asked: Asked, routes: Routes, *, stickiness: Stickiness, force: bool) -> Done:
    """Let exactly `routes` hold; raises what `registry.services.set_routes` does, RoutesChanged."""

    def change() -> str:
        services.hold_routes(asked.model, asked.seen)
        services.set_routes(
            asked.model,
            routes,
            actor=asked.actor,
            reason=asked.reason,
            stickiness=stickiness,
            force=force,
        )
        return "The routes are set."

    return _noted(asked.model, change)


def _noted(model: str, change: Callable[[], str]) -> Done:
    """Do `change` in one transaction, and find the event that it left."""
    before = listing.load_events(model, limit=1)
    last = before[0].id if before else 0
    with transaction.atomic():
        message = change()
        events = listing.load_events(model, after=last, limit=1)
    if not events:
        return Done(message=f"{message} It was so already: nothing has changed.")
    return Done(message=message, event=events[0])


def _restore(asked: Asked) -> Done:
    if not (asked.target and asked.snapshot):
        raise InvalidField("choose a backup to restore from", details={"field": "snapshot"})
    done = requests.request_restore(
        asked.target, asked.snapshot, (asked.model, asked.number), actor=asked.actor
    )
    return Done(message=f"Version {asked.number} is being restored.", operation=done)


def _promote(asked: Asked) -> str:
    services.hold_routes(asked.model, asked.seen)
    services.promote(asked.model, asked.number, actor=asked.actor, reason=asked.reason)
    return f"Version {asked.number} is promoted."


def _share(asked: Asked, act: str, told: str) -> str:
    current = services.hold_routes(asked.model, asked.seen)
    routes = _PLANS[act](current, asked.number, asked.percent)
    services.set_routes(asked.model, routes, actor=asked.actor, reason=asked.reason)
    return told.format(n=asked.number, percent=asked.percent)


def _retire(asked: Asked) -> str:
    services.retire(asked.model, asked.number, actor=asked.actor, reason=asked.reason)
    return f"Version {asked.number} is retired."


def _reinstate(asked: Asked) -> str:
    services.reinstate(asked.model, asked.number, actor=asked.actor, reason=asked.reason)
    return f"Version {asked.number} may be routed again."


def stable_of(routes: Routes) -> int | None:
    """The number of the stable version."""
    live = live_of(routes)
    return live[0].version if live else None


_PLANS: dict[str, Callable[[Routes, int, int], Routes]] = {
    "canary": with_canary,
    "shadow": with_shadow,
    "stop": lambda current, number, percent: without(current, number),
}

_CHANGES: dict[str, Callable[[Asked], str]] = {
    "promote": _promote,
    "canary": lambda asked: _share(asked, "canary", "Version {n} answers {percent} %."),
    "shadow": lambda asked: _share(asked, "shadow", "Version {n} gets copies of {percent} %."),
    "stop": lambda asked: _share(asked, "stop", "Version {n} has no route any more."),
    "retire": _retire,
    "reinstate": _reinstate,
}
